#include <torch/types.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "flow_learner.h"
#include "support.h"

namespace stillpoint::app::testing {
namespace {

// Their entropies: of a circle log 2πr and of eight places log 8, and of the noise across it or around them.
TEST(PlaneDensities, HaveTheEntropiesThatTheySay) {
  torch::manual_seed(1);
  const auto entropy = [](const PlaneDensity& density) {
    return -density.log_prob(density.draw(20'000)).mean().item<double>();
  };
  EXPECT_NEAR(entropy(two_circles()), 0.790, 0.02);
  EXPECT_NEAR(entropy(eight_blots()), 2.838, 0.02);
  // A density: it sums to one over the plane.
  const auto axis = torch::linspace(-5, 5, 251);
  const auto rows = torch::meshgrid({axis, axis}, "ij");
  const auto points = torch::stack({rows[0].flatten(), rows[1].flatten()}, 1);
  for (const auto& density : {two_circles(), eight_blots(), two_moons()})
    EXPECT_NEAR(density.log_prob(points).exp().sum().item<double>() * 0.04 * 0.04, 1.0, 1e-3) << density.name;
}

using FlowModel = Program;

TEST_F(FlowModel, LearnsAndReports) {
  const auto report_path = directory / "report.json", plot_path = directory / "plot.svg";
  const auto run =
      run_program("train --threads 1 --model cnf --variants gaussians,circles-regular --epochs 2 --report " +
                  report_path.string() + " --plot " + plot_path.string());
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.err, "");
  const auto report = nlohmann::json::parse(get(report_path));
  EXPECT_EQ(report["model"], "cnf");
  ASSERT_EQ(report["variants"].size(), 2U);
  for (const auto& variant : report["variants"]) {
    SCOPED_TRACE(variant.dump(1));
    const auto& rounds = variant["rounds"];
    ASSERT_EQ(rounds.size(), 2U);
    EXPECT_LT(rounds[1]["nats"], rounds[0]["nats"]);
    EXPECT_EQ(rounds[1]["unfinished"], 0);
    // No flow is better than the density itself, but for the noise of a test set.
    EXPECT_GT(variant["nats"], variant["floor"].get<double>() - 4 * variant["excess_error"].get<double>());
    EXPECT_LT(variant["nats"], 4.0);
    EXPECT_GT(variant["end_time"], 0.0);
  }
  EXPECT_NE(get(plot_path).find("gaussians"), std::string::npos);
}

TEST_F(FlowModel, InPiecesLearnsTheSame) {
  const auto saved = (directory / "saved").string();
  const auto nats = [&](const std::string& options) {
    const auto path = directory / "report.json";
    const auto run = run_program("train --threads 1 --report " + path.string() + " " + options);
    EXPECT_EQ(run.status, 0) << run.err;
    return nlohmann::json::parse(get(path))["variants"][0]["nats"];
  };
  const std::string model = "--model cnf --variants circles-estimated ";
  const auto at_once = nats(model + "--epochs 2");
  nats(model + "--epochs 1 --save " + saved);
  EXPECT_EQ(nats("--epochs 2 --load " + saved), at_once);
}

}  // namespace
}  // namespace stillpoint::app::testing
