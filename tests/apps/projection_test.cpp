#include <torch/types.h>

#include <cmath>

#include "projection_network.h"
#include "support.h"
#include "task.h"

namespace stillpoint::app::testing {
namespace {

// Two ways to one projection: a formula, and the program in general.
TEST(Projection, ByAProgramIsThatByTheFormula) {
  torch::manual_seed(1);
  BoundedSimplexNetwork formula;
  LearnedBoundsNetwork program;
  {
    const torch::NoGradGuard no_grad;
    for (auto& each : program.named_parameters()) {
      if (each.key() != "bounds") each.value().copy_(formula.named_parameters()[each.key()]);
    }
  }
  formula.to(torch::kDouble);
  program.to(torch::kDouble);
  const auto images = 20 * torch::rand({30, 784}, torch::kDouble);
  const auto shares = formula.forward(images);
  EXPECT_LT((shares - program.forward(images)).abs().max().item<double>(), 1e-7);
  EXPECT_NEAR(shares.max().item<double>(), BoundedSimplexNetwork::kBound, 1e-7);
  EXPECT_GT(shares.eq(0).sum().item<int>(), 30);
  const auto labels = torch::randint(10, {30}, torch::kLong);
  const auto gradient = [&](Network& network) {
    const auto loss = losses(Task::Shares, network.forward(images), labels).mean();
    return torch::autograd::grad({loss}, {network.named_parameters()["encoder.weight"]})[0];
  };
  const auto expected = gradient(formula);
  EXPECT_LT((gradient(program) - expected).abs().max().item<double>(),
            1e-6 * expected.abs().max().item<double>());
}

// With the squares of shares alone there is no gradient at a corner.
TEST(Projection, LearnsAtACornerToo) {
  torch::manual_seed(1);
  SimplexNetwork network;
  const auto images = 1000 * torch::rand({5, 784});
  const auto shares = network.forward(images);
  EXPECT_TRUE(shares.eq(1).any(1).all().item<bool>());
  const auto gradient = [&](const at::Tensor& of) {
    return torch::autograd::grad({of}, {network.named_parameters()["decoder.bias"]}, {}, true)[0]
        .abs()
        .max()
        .item<double>();
  };
  EXPECT_EQ(gradient(losses(Task::Shares, shares, torch::arange(5)).mean()), 0);
  EXPECT_GT(gradient(network.penalty()), 0.1);
  EXPECT_FALSE(ShareNetwork().penalty().defined());
}

TEST(Projection, LearnsItsBounds) {
  torch::manual_seed(1);
  LearnedBoundsNetwork network;
  network.to(torch::kDouble);
  const auto images = 20 * torch::rand({30, 784}, torch::kDouble);
  const auto labels = torch::randint(10, {30}, torch::kLong);
  const auto loss = [&] { return losses(Task::Shares, network.forward(images), labels).mean(); };
  auto bounds = network.named_parameters()["bounds"];
  const auto gradient = torch::autograd::grad({loss()}, {bounds})[0];
  const torch::NoGradGuard no_grad;
  EXPECT_GT(gradient.abs().max().item<double>(), 1e-4);
  for (std::int64_t i = 0; i < 10; ++i) {
    const auto before = bounds[i].clone();
    constexpr double step = 1e-6;
    bounds[i].copy_(before + step);
    const double above = loss().item<double>();
    bounds[i].copy_(before - step);
    const double below = loss().item<double>();
    bounds[i].copy_(before);
    EXPECT_NEAR((above - below) / (2 * step), gradient[i].item<double>(), 1e-7) << i;
  }
}

}  // namespace
}  // namespace stillpoint::app::testing
