// The smooth argmax of a solver that knows no derivatives, and the loss that belongs to it.
#include <gtest/gtest.h>

#include <cmath>

#include "optim/rows.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

Tensor one_hot_of_largest(const Tensor& theta) {
  return torch::zeros_like(theta).scatter(1, theta.argmax(1, /*keepdim=*/true), 1.0);
}

// The same draws each time, and what the solver was called with.
struct Perturbed {
  Tensor theta = row({.3, -.2, .6});
  double sigma = .7;
  Tensor noise;   // [samples, 3]
  Tensor argmax;  // [samples, 3]

  optim::ArgmaxSolver solver() {
    return [this](const Tensor& moved) {
      EXPECT_FALSE(torch::GradMode::is_enabled());
      noise = (moved - theta) / sigma;
      argmax = one_hot_of_largest(moved);
      return argmax;
    };
  }
  optim::Perturbation options(std::int64_t samples) const {
    torch::manual_seed(8);
    return {.samples = samples, .sigma = sigma};
  }
};

// Berthet et al. 2020, proposition 3.1: E[y Z'] / sigma, and E[y (Z Z' − I)] / sigma².
TEST(PerturbedArgmax, HasTheDerivativesOfItsExpectation) {
  Perturbed p;
  const auto mean = [&](const Tensor& t) { return optim::perturbed_argmax(p.solver(), t, p.options(50)); };
  const Tensor J = jacobian(mean, p.theta);
  EXPECT_TRUE(close(mean(p.theta)[0], p.argmax.mean(0), 1e-15));
  EXPECT_TRUE(close(J, p.argmax.t().matmul(p.noise) / 50 / p.sigma, 1e-14));
  const auto slope = [&](const Tensor& t) {
    return torch::autograd::grad({mean(t)[0][2]}, {t}, {}, true, true)[0];
  };
  const Tensor weighted = p.noise * p.argmax.narrow(1, 2, 1);
  const Tensor H =
      (weighted.t().matmul(p.noise) - p.argmax.select(1, 2).sum() * torch::eye(3, options())) / 50;
  EXPECT_TRUE(close(jacobian(slope, p.theta), H / (p.sigma * p.sigma), 1e-14));
}

// Two numbers: the first is the larger with probability Φ(d / (sigma √2)).
TEST(PerturbedArgmax, TendsToWhatIsKnown) {
  torch::manual_seed(1);
  const double d = .4;
  const Tensor theta = row({d, 0}).requires_grad_();
  const std::int64_t samples = 200000;
  const Tensor x = optim::perturbed_argmax(one_hot_of_largest, theta, {.samples = samples, .sigma = .5});
  const double z = d / (.5 * std::sqrt(2.0));
  const double five_errors = 5 / std::sqrt(static_cast<double>(samples));
  EXPECT_NEAR(x[0][0].item<double>(), .5 * std::erfc(-z / std::sqrt(2.0)), five_errors);
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::acos(-1.0)) / (.5 * std::sqrt(2.0));
  const Tensor gradient = torch::autograd::grad({x[0][0]}, {theta})[0];
  // A term of the mean has a standard deviation of at most 1 / sigma.
  EXPECT_NEAR(gradient[0][0].item<double>(), density, five_errors / .5);
}

TEST(FenchelYoungLoss, HasThePerturbedArgmaxAsItsGradient) {
  Perturbed p;
  const Tensor target = row({0, 0, 1});
  const auto loss = [&](const Tensor& t) {
    return optim::fenchel_young_loss(p.solver(), t, target, p.options(50));
  };
  const auto mean = [&](const Tensor& t) { return optim::perturbed_argmax(p.solver(), t, p.options(50)); };
  const auto slope = [&](const Tensor& t) {
    return torch::autograd::grad({loss(t).sum()}, {t}, {}, true, true)[0];
  };
  EXPECT_TRUE(close(jacobian(loss, p.theta), mean(p.theta) - target, 1e-14));
  EXPECT_NEAR(
      loss(p.theta).item<double>(),
      ((p.theta + p.sigma * p.noise) * p.argmax).sum(1).mean().item<double>() - p.theta[0][2].item<double>(),
      1e-14);
  const Tensor J = jacobian(mean, p.theta);
  EXPECT_TRUE(close(jacobian(slope, p.theta), .5 * (J + J.t()), 1e-14));
  // Of the third derivatives those along one direction are alike, since they need no symmetry.
  const auto along = [](const std::function<Tensor(const Tensor&)>& f, Tensor t, int orders) {
    t = t.detach().clone().requires_grad_();
    Tensor number = f(t);
    for (int k = 0; k < orders; ++k) number = torch::autograd::grad({number}, {t}, {}, true, true)[0][0][0];
    return number.item<double>();
  };
  const double third = along([&](const Tensor& t) { return loss(t).sum(); }, p.theta, 3);
  EXPECT_NEAR(third, along([&](const Tensor& t) { return mean(t)[0][0]; }, p.theta, 2), 1e-12);
  const double sixth = along([&](const Tensor& t) { return loss(t).sum(); }, p.theta, 6);
  EXPECT_NEAR(sixth / along([&](const Tensor& t) { return mean(t)[0][0]; }, p.theta, 5), 1.0, 1e-10);
}

TEST(PerturbedArgmax, RefusesWhatDoesNotFit) {
  const Tensor theta = normal({2, 3});
  const auto with = [&](optim::ArgmaxSolver solver, optim::Perturbation options) {
    return [=] { optim::perturbed_argmax(solver, theta, options); };
  };
  expect_error(with({}, {}), "solver: expected a function of theta, got an empty one");
  expect_error(with(one_hot_of_largest, {.samples = 0}), "samples: expected ≥ 1, got 0");
  expect_error(with(one_hot_of_largest, {.sigma = 0.0}), "sigma: expected a number > 0, got 0");
  expect_error(with([](const Tensor& t) { return t.sum(1); }, {.samples = 4}),
               "solver: expected shape [8, 3]");
  expect_error(
      [&] {
        optim::fenchel_young_loss(one_hot_of_largest, theta, normal({2, 4}));
      },
      "target: expected shape [3] or [2, 3]");
}

}  // namespace
}  // namespace stillpoint::test
