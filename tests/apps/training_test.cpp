#include <cstdlib>
#include <nlohmann/json.hpp>

#include "support.h"
#include "trainer.h"
#include "variants.h"

// The main job, whole, on images that are easy to learn.

namespace stillpoint::app::testing {
namespace {

std::string device() {
  const char* name = std::getenv("STILLPOINT_TEST_DEVICE");
  return name == nullptr ? "cpu" : name;
}

TEST(Training, LearnsWithEachVariant) {
  const TemporaryDirectory directory;
  put_dataset(directory.path(), 800, 200);
  const auto report_path = directory / "report.json", plot_path = directory / "plot.svg";
  const auto run = run_program("train --threads 1 --epochs 4 --seed 2 --device " + device() + " --data " +
                               directory.path().string() + " --report " + report_path.string() + " --plot " +
                               plot_path.string());
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(run.out.find_first_of("\r\x1b\b"), std::string::npos) << run.out;

  const auto report = nlohmann::json::parse(get(report_path));
  const auto picture = get(plot_path);
  ASSERT_EQ(report["variants"].size(), variants().size());
  for (std::size_t i = 0; i < variants().size(); ++i) {
    const auto& variant = report["variants"][i];
    SCOPED_TRACE(variant.dump(1));
    const auto name = variant["name"].get<std::string>();
    EXPECT_EQ(name, variants()[i].name);
    EXPECT_NE(run.out.find(name), std::string::npos);
    EXPECT_NE(picture.find(name), std::string::npos);
    EXPECT_LE(variant["test_error"].get<double>(), 0.01);
    EXPECT_LT(variant["gradient_error"].get<double>(), 1e-4);
    EXPECT_GT(variant["forward_iterations"].get<double>(), 1);
    EXPECT_EQ(variant["backward_iterations"].is_null(), name == "picard-unrolled");
    ASSERT_EQ(variant["epochs"].size(), 4U);
    EXPECT_LT(variant["epochs"][3]["train_loss"], variant["epochs"][0]["train_loss"]);
    for (const auto& epoch : variant["epochs"]) {
      EXPECT_EQ(epoch["unconverged"], 0);
      EXPECT_EQ(epoch["backward_unconverged"], 0);
      EXPECT_EQ(epoch["test_unconverged"], 0);
    }
  }
  const auto& variant = report["variants"];
  EXPECT_LT(variant[1]["peak_bytes"], variant[0]["peak_bytes"]) << "implicit needs less memory than unrolled";
  EXPECT_LT(variant[3]["forward_iterations"], variant[1]["forward_iterations"])
      << "Newton needs fewer than Picard";
}

// A sample that is no fixed point has no implicit gradient, so here, where none converges, nothing is
// learned.
TEST(Training, LeavesOutSamplesThatDidNotConverge) {
  const TemporaryDirectory directory;
  put_dataset(directory.path(), 200, 100);
  const auto data = load_dataset(directory.path(), torch::Device(device()));
  auto options = find_variant("picard-implicit").options;
  options.max_iterations = 1;
  options.tolerance = {.relative = 0.0, .absolute = 1e-30};
  Classifier model(options);
  model->to(torch::Device(device()));
  std::vector<torch::Tensor> before;
  for (const auto& parameter : model->parameters()) {
    before.push_back(parameter.detach().clone());
  }
  const auto epoch = Trainer(data, 1).run_epoch(model, 1, [](double, const Pass&) {});
  EXPECT_EQ(epoch.train.unconverged, 200);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(torch::equal(model->parameters()[i], before[i]));
  }
}

}  // namespace
}  // namespace stillpoint::app::testing
