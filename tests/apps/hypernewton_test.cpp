#include "hypernewton_study.h"

#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "study_run.h"
#include "support.h"

namespace stillpoint::app::testing {
namespace {

class Hypernewton : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(data);
    put_dataset(data, 200, 100);
  }
  nlohmann::json variants(TrainOptions options) const {
    options.data = data;
    options.report = directory / "report.json";
    ::testing::internal::CaptureStdout();
    try {
      train_study(hypernewton_study(), options, torch::kCPU);
    } catch (...) {
      ::testing::internal::GetCapturedStdout();
      throw;
    }
    ::testing::internal::GetCapturedStdout();
    return nlohmann::json::parse(get(options.report))["variants"];
  }

  TemporaryDirectory directory;
  fs::path data = directory / "data";
};

TEST_F(Hypernewton, LowersTheLossAndCountsPasses) {
  const auto all = variants({.epochs = 5, .plot = directory / "plot.svg"});
  ASSERT_EQ(all.size(), 3U);
  for (const auto& variant : all) {
    const auto name = variant["name"].get<std::string>();
    const auto& rounds = variant["rounds"];
    double last = 2.303;  // of ten classes, nothing known
    double passes = 0;
    for (const auto& round : rounds) {
      EXPECT_LE(round["loss"].get<double>(), last) << name;
      last = round["loss"];
      passes += 10;
      EXPECT_GE(round["passes"].get<double>(), passes) << name;
      EXPECT_LT(round["passes"].get<double>(), passes + 60) << name;
    }
    EXPECT_EQ(variant["parameters"], 7850) << name;
    EXPECT_LT(variant["test_error"], 0.05) << name;
    EXPECT_EQ(variant["loss"], rounds.back()["loss"]) << name;
  }
  EXPECT_LT(all[0]["gradient_norm"].get<double>(), 1e-4) << "Newton-CG is done by then";
  EXPECT_LT(all[0]["gradient_norm"], all[2]["gradient_norm"]);
  EXPECT_NE(get(directory / "plot.svg").find("Loss above the lowest"), std::string::npos);
}

TEST_F(Hypernewton, GoesOnFromACheckpoint) {
  const auto saved = directory / "saved";
  const auto whole = variants({.epochs = 3});
  variants({.epochs = 2, .save = saved});
  const auto parts = variants({.epochs = 3, .load = saved});
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(parts[i]["loss"], whole[i]["loss"]) << whole[i]["name"];
    EXPECT_EQ(parts[i]["passes"], whole[i]["passes"]) << whole[i]["name"];
  }
}

}  // namespace
}  // namespace stillpoint::app::testing
