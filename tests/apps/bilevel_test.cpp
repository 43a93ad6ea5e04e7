#include "bilevel_study.h"

#include <torch/types.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "penalized_fit.h"
#include "study_run.h"
#include "support.h"

namespace stillpoint::app::testing {
namespace {

at::Tensor doubles(const std::vector<double>& numbers, at::IntArrayRef shape) {
  return torch::tensor(numbers, torch::kDouble).view(shape);
}

// Ridge regression in closed form: X = [1 0; 1 1; 1 2; 1 3], y = (1, 3, 2, 5), validated on (1, 4) → 5 and
// (1, 5) → 7, with one penalty of 1/2. All values are rational.
TEST(PenalizedFit, HasTheDerivativesOfTheClosedForm) {
  const auto x = doubles({1, 0, 1, 1, 1, 2, 1, 3}, {4, 2}), y = doubles({1, 3, 2, 5}, {4, 1});
  const auto others = doubles({1, 4, 1, 5}, {2, 2}), answers = doubles({5, 7}, {2, 1});
  const auto penalty = torch::tensor(0.5, torch::kDouble).requires_grad_();
  const auto theta =
      penalized_fit(FitLoss::Squares, x, y, penalty.expand({2}), torch::zeros({2, 1}, torch::kDouble));
  EXPECT_NEAR(theta[0].item<double>(), 110.0 / 117, 1e-10);
  EXPECT_NEAR(theta[1].item<double>(), 44.0 / 39, 1e-10);
  const auto slope = [&](const at::Tensor& of) {
    return torch::autograd::grad({of}, {penalty}, {}, /*retain_graph=*/true, /*create_graph=*/true)[0];
  };
  EXPECT_NEAR(slope(theta[0]).item<double>(), -3212.0 / 13689, 1e-9);
  EXPECT_NEAR(slope(theta[1]).item<double>(), 88.0 / 4563, 1e-9);
  const auto loss = fit_losses(FitLoss::Squares, others.mm(theta), answers).sum();
  EXPECT_NEAR(loss.item<double>(), 2605.0 / 13689, 1e-10);
  const auto first = slope(loss);
  EXPECT_NEAR(first.item<double>(), -21560.0 / 1601613, 1e-9);
  EXPECT_NEAR(slope(first).item<double>(), 5056832.0 / 62462907, 1e-8);
}

// One penalty for each feature, along a direction.
TEST(PenalizedFit, HasTheHypergradientOfFiniteDifferences) {
  torch::manual_seed(1);
  const auto x = torch::randn({30, 4}, torch::kDouble), others = torch::randn({20, 4}, torch::kDouble);
  const auto labels = torch::randint(3, {30}, torch::kLong), answers = torch::randint(3, {20}, torch::kLong);
  const auto ones = [](const at::Tensor& which) {
    return torch::zeros({which.size(0), 3}, torch::kDouble).scatter(1, which.unsqueeze(1), 1.0);
  };
  const auto logarithms = torch::randn({4}, torch::kDouble), direction = torch::randn({4}, torch::kDouble);
  for (const auto kind : {FitLoss::Squares, FitLoss::CrossEntropy}) {
    const bool squares = kind == FitLoss::Squares;
    const auto loss = [&](const at::Tensor& at) {
      const auto w = penalized_fit(kind, x, squares ? ones(labels) : labels, at.exp(),
                                   torch::zeros({4, 3}, torch::kDouble));
      return fit_losses(kind, others.mm(w), squares ? ones(answers) : answers).mean();
    };
    const auto leaf = logarithms.clone().requires_grad_();
    const auto gradient = torch::autograd::grad({loss(leaf)}, {leaf})[0];
    constexpr double step = 1e-3;
    const auto at = [&](double by) { return loss(logarithms + by * direction).item<double>(); };
    const double slope = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
    EXPECT_NEAR(slope, gradient.dot(direction).item<double>(), 1e-8) << squares;
  }
}

class Bilevel : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(data);
    put_dataset(data, 900, 60);
  }
  nlohmann::json variants(TrainOptions options) const {
    options.data = data;
    options.report = directory / "report.json";
    ::testing::internal::CaptureStdout();
    try {
      train_study(bilevel_study(), options, torch::kCPU);
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

TEST_F(Bilevel, FindsBetterPenaltiesThanItBeganWith) {
  const auto all = variants({.epochs = 6, .plot = directory / "plot.svg"});
  ASSERT_EQ(all.size(), 6U);
  for (const auto& variant : all) {
    const auto name = variant["name"].get<std::string>();
    const auto& rounds = variant["rounds"];
    ASSERT_EQ(rounds.size(), 6U);
    if (name == "logistic-grid") {  // which begins with the least penalty, the best one of separable classes
      EXPECT_LE(rounds[5]["validation_loss"], rounds[1]["tried_loss"]) << name;
    } else {
      EXPECT_LT(rounds[5]["validation_loss"], rounds[0]["tried_loss"]) << name;
    }
    EXPECT_EQ(variant["validation_loss"], rounds[5]["validation_loss"]) << name;
    EXPECT_EQ(variant["penalties"].size(), 196U) << name;
    EXPECT_EQ(variant["parameters"], name.ends_with("each") ? 196 : 1);
    EXPECT_EQ(rounds[5]["fits"], 6) << name;
    EXPECT_LT(variant["test_error"], 0.2) << name;
  }
  EXPECT_NE(get(directory / "plot.svg").find("Ridge regression"), std::string::npos);
}

TEST_F(Bilevel, GoesOnFromACheckpoint) {
  const auto saved = directory / "saved";
  const std::vector<std::string> some{"ridge-grid", "logistic-each"};
  const auto whole = variants({.variants = some, .epochs = 4});
  variants({.variants = some, .epochs = 2, .save = saved});
  const auto parts = variants({.variants = some, .epochs = 4, .load = saved});
  for (std::size_t i = 0; i < some.size(); ++i) {
    EXPECT_EQ(parts[i]["validation_loss"], whole[i]["validation_loss"]);
    EXPECT_EQ(parts[i]["penalties"], whole[i]["penalties"]);
  }
}

TEST_F(Bilevel, RefusesTooFewImages) {
  put_dataset(data, 400, 60);
  expect_user_error([&] { variants({.epochs = 1}); }, {"--data", "500 training images"});
}

}  // namespace
}  // namespace stillpoint::app::testing
