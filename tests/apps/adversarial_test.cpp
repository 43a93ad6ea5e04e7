#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "adversarial_learner.h"
#include "support.h"

namespace stillpoint::app::testing {
namespace {

// The distance from a normal distribution's middle has the median 1.1774 σ in the plane, that from the line
// through it 0.6745 σ.
TEST(PointClouds, LieAroundTheirRidges) {
  torch::manual_seed(1);
  const std::int64_t count = 20'000;
  const auto gaussians = agreement(eight_gaussians(), eight_gaussians().draw(count));
  EXPECT_EQ(gaussians.modes, 8);
  EXPECT_EQ(gaussians.within, 1.0);
  EXPECT_NEAR(gaussians.median_distance, 1.1774 * 0.02 / 1.414, 5e-4);
  const auto roll = agreement(swiss_roll(), swiss_roll().draw(count));
  EXPECT_EQ(roll.modes, 8);
  EXPECT_GT(roll.within, 0.9999);
  EXPECT_NEAR(roll.median_distance, 0.6745 * 0.25 / 7.5, 1e-3);
  const auto radius = eight_gaussians().draw(count).norm(2, 1);
  EXPECT_NEAR(radius.mean().item<double>(), 2 / 1.414, 1e-3);
  const auto roll_radius = swiss_roll().ridge.norm(2, 1);
  EXPECT_NEAR(roll_radius[0].item<double>(), 1.5 * std::numbers::pi / 7.5, 1e-2);
  EXPECT_NEAR(roll_radius[-1].item<double>(), 4.5 * std::numbers::pi / 7.5, 1e-2);
}

TEST(PointClouds, KnowWhatIsMissing) {
  const auto cloud = eight_gaussians();
  const auto middle = agreement(cloud, torch::zeros({100, 2}));
  EXPECT_EQ(middle.modes, 0);
  EXPECT_EQ(middle.within, 0.0);
  EXPECT_NEAR(middle.median_distance, 2 / 1.414, 1e-6);
  // Modes 2 and 5, and one sample in a hundred, which does not count as a mode, at mode 0.
  auto samples = cloud.ridge[2].expand({100, 2}).clone();
  samples.slice(0, 60) = cloud.ridge[5] + 0.1;
  samples[99] = cloud.ridge[0];
  const auto two = agreement(cloud, samples);
  EXPECT_EQ(two.modes, 2);
  EXPECT_DOUBLE_EQ(two.within, 1.0);
  EXPECT_NEAR(two.median_distance, 0.0, 1e-3);
  samples.slice(0, 60) = cloud.ridge[5] + 0.11;  // √2 · 0.11 > 0.15
  EXPECT_NEAR(agreement(cloud, samples).within, 0.6, 1e-12);
}

/// (‖∇D‖ − 1)², on average.
at::Tensor penalty_of(Critic& critic, const at::Tensor& points) {
  const auto x = points.detach().requires_grad_();
  const auto slope = torch::autograd::grad({critic.forward(x).sum()}, {x}, {}, true, true)[0];
  return (slope.norm(2, 1) - 1).square().mean();
}

// A second derivative through the fixed point, against differences of first ones.
TEST(EquilibriumCritic, DifferentiatesItsPenalty) {
  torch::manual_seed(3);
  EquilibriumCritic critic(12);
  critic.to(torch::kDouble);
  critic.eval();  // the power iteration rests
  critic.options.tolerance = {.relative = 1e-12, .absolute = 1e-14};
  critic.options.gradient = ImplicitGradient{.tolerance = {.relative = 1e-12, .absolute = 0.0}};
  const auto points = torch::randn({5, 2}, torch::kDouble);
  auto parameters = critic.named_parameters();
  for (const char* name : {"encoder.weight", "encoder.bias", "decoder.weight"}) {
    auto weight = parameters[name];
    const auto exact = torch::autograd::grad({penalty_of(critic, points)}, {weight})[0].flatten()[1];
    const auto moved = [&](double by) {
      {
        const torch::NoGradGuard no_grad;
        weight.flatten()[1] += by;
      }
      return penalty_of(critic, points).item<double>();
    };
    const double step = 1e-4, after = moved(step), before = moved(-2 * step);
    moved(step);
    EXPECT_NEAR(exact.item<double>(), (after - before) / (2 * step), 1e-6) << name;
    EXPECT_GT(std::abs(exact.item<double>()), 1e-5) << name;
  }
  EXPECT_TRUE(critic.stats()->converged()) << critic.stats()->brief();
}

using Adversarial = Program;

TEST_F(Adversarial, LearnsAndReports) {
  const auto report_path = directory / "report.json", plot_path = directory / "plot.svg";
  const auto run = run_program(
      "train --threads 1 --model wgan-gp --variants gaussians,swiss-roll --epochs 3 "
      "--report " +
      report_path.string() + " --plot " + plot_path.string());
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.err, "");
  const auto report = nlohmann::json::parse(get(report_path));
  EXPECT_EQ(report["model"], "wgan-gp");
  ASSERT_EQ(report["variants"].size(), 2U);
  for (const auto& variant : report["variants"]) {
    SCOPED_TRACE(run.out + variant.dump(1));
    const auto& rounds = variant["rounds"];
    ASSERT_EQ(rounds.size(), 3U);
    EXPECT_LT(rounds[2]["distance"], rounds[0]["distance"]);
    EXPECT_LT(rounds[2]["median_distance"], rounds[0]["median_distance"]);
    EXPECT_GE(variant["modes"], 4);
    EXPECT_GE(variant["within"], 0.3);
    EXPECT_LT(variant["data_median_distance"], 0.03);
    EXPECT_EQ(variant["parameters"], 8642 + 8577);
  }
  EXPECT_NE(get(plot_path).find("swiss-roll"), std::string::npos);
}

TEST_F(Adversarial, SolvesForTheEquilibriumCritic) {
  const auto path = directory / "report.json";
  const auto run = run_program(
      "train --threads 1 --model wgan-gp --variants equilibrium-critic --epochs 1 "
      "--report " +
      path.string());
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.err, "");
  const auto report = nlohmann::json::parse(get(path));
  const auto& round = report["variants"][0]["rounds"][0];
  EXPECT_GT(round["iterations"], 1) << round;
  EXPECT_GT(round["backward_iterations"], 1) << round;
  EXPECT_EQ(round["unsolved"], 0) << round;
}

// Both networks and both optimizers.
TEST_F(Adversarial, InPiecesLearnsTheSame) {
  const auto saved = (directory / "saved").string();
  const auto rounds = [&](const std::string& options) {
    const auto path = directory / "report.json";
    const auto run = run_program("train --threads 1 --report " + path.string() + " " + options);
    EXPECT_EQ(run.status, 0) << run.err;
    auto variant = nlohmann::json::parse(get(path))["variants"][0];
    variant.erase("seconds_per_round");
    for (auto& round : variant["rounds"]) {
      round.erase("seconds");
    }
    return variant;
  };
  const std::string model = "--model wgan-gp --variants gaussians ";
  const auto at_once = rounds(model + "--epochs 2");
  rounds(model + "--epochs 1 --save " + saved);
  EXPECT_EQ(rounds("--epochs 2 --load " + saved), at_once);
  expect_one_line_error(run_program("train --load " + saved + " --width 3"), "--width 3");
  expect_one_line_error(run_program("train --model wgan-gp --data " + saved), "leave --data out");
}

}  // namespace
}  // namespace stillpoint::app::testing
