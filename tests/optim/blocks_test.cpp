// Fits that are constant on blocks: isotonic regression, soft sorting, total variation.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "optim/rows.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

// The Jacobian whose rows average a block.
Tensor averages(const std::vector<std::int64_t>& sizes) {
  std::vector<Tensor> blocks;
  for (const std::int64_t size : sizes) {
    blocks.push_back(torch::full({size, size}, 1.0 / static_cast<double>(size), options()));
  }
  return torch::block_diag(blocks);
}

TEST(IsotonicRegression, HasItsExactValuesAndDerivatives) {
  const Tensor y = row({1, 3, 2, 4, 3.5, 0, 6});
  const auto fit = [](const Tensor& t) { return optim::isotonic_regression(t); };
  EXPECT_TRUE(close(fit(y), row({1, 2.5, 2.5, 2.5, 2.5, 2.5, 6}), 1e-15));
  EXPECT_TRUE(close(jacobian(fit, y), averages({1, 5, 1}), 1e-15));

  const Tensor w = vector({1, 2, 1, 1, 3, 1, 2});
  const auto weighted = [&](const Tensor& t) { return optim::isotonic_regression(t, w); };
  EXPECT_TRUE(close(weighted(y), row({1, 8.0 / 3, 8.0 / 3, 2.9, 2.9, 2.9, 6}), 1e-15));
  const auto block = [&](std::int64_t first, std::int64_t size) {
    const Tensor of_block = w.narrow(0, first, size);
    return (of_block / of_block.sum()).expand({size, size});
  };
  const Tensor expected = torch::block_diag({block(0, 1), block(1, 2), block(3, 3), block(6, 1)});
  EXPECT_TRUE(close(jacobian(weighted, y), expected, 1e-15));
}

TEST(IsotonicRegression, WithAWeightThatIsNotPositiveIsNan) {
  const Tensor y = normal({3, 4}).requires_grad_();
  Tensor w = torch::ones({3, 4}, options());
  w[1][2] = 0.0;
  const Tensor x = optim::isotonic_regression(y, w);
  EXPECT_TRUE(identical(x.isnan().any(1), torch::tensor({false, true, false}).to(device())));
  x.square().sum().backward();
  EXPECT_TRUE(y.grad()[1].isnan().all().item<bool>());
  EXPECT_TRUE(torch::isfinite(y.grad()[2]).all().item<bool>());
}

TEST(SoftSort, HasItsExactValues) {
  const Tensor theta = row({2.9, .1, 1.2, 2.5});
  EXPECT_TRUE(identical(optim::soft_sort(theta, .1), row({2.9, 2.5, 1.2, .1})));
  EXPECT_TRUE(close(optim::soft_sort(theta, 1.0), row({2.9, 34.0 / 15, 19.0 / 15, 4.0 / 15}), 1e-15));
  EXPECT_TRUE(
      close(optim::soft_sort(theta, 3.0), row({87.0 / 40, 221.0 / 120, 181.0 / 120, 47.0 / 40}), 1e-15));
}

TEST(SoftRank, HasItsExactValues) {
  const Tensor theta = row({2.9, .1, 1.2, 2.5});
  EXPECT_TRUE(identical(optim::soft_rank(theta, .1), row({1, 4, 3, 2})));
  EXPECT_TRUE(close(optim::soft_rank(theta, 1.0), row({1.3, 4, 3, 1.7}), 1e-15));
  const Tensor wide = row({251.0 / 120, 121.0 / 40, 319.0 / 120, 89.0 / 40});
  EXPECT_TRUE(close(optim::soft_rank(theta, 3.0), wide, 1e-15));
}

TEST(SoftSort, KeepsItsDigitsAtAnyEps) {
  const Tensor theta = row({.3, -1.7, .3, 12.5});
  for (const double eps : {1e-300, 1e-12}) {
    EXPECT_TRUE(identical(optim::soft_sort(theta, eps), row({12.5, .3, .3, -1.7}))) << eps;
    EXPECT_TRUE(identical(optim::soft_rank(theta, eps), row({2.5, 4, 2.5, 1}))) << eps;  // ties share a rank
  }
  for (const double eps : {1e14, kInfinity}) {
    EXPECT_TRUE(close(optim::soft_sort(theta, eps), theta.mean().expand({1, 4}), 1e-13)) << eps;
    EXPECT_TRUE(close(optim::soft_rank(theta, eps), torch::full({1, 4}, 2.5, options()), 1e-13)) << eps;
  }
  EXPECT_TRUE(optim::soft_sort(theta, 0.0).isnan().all().item<bool>());
  EXPECT_TRUE(optim::soft_rank(theta, -1.0).isnan().all().item<bool>());
}

// x has the optimality conditions of total variation: the forces between neighbors are at most lambda, and
// all of it where they differ.
void expect_optimal(const Tensor& x, const Tensor& y, double lambda) {
  const double rounding =
      1e-13 * std::max(1.0, y.abs().max().item<double>() * static_cast<double>(y.size(1)));
  const Tensor force = torch::cumsum(x - y, 1);
  const Tensor between = force.narrow(1, 0, y.size(1) - 1);
  EXPECT_LE(force.select(1, y.size(1) - 1).abs().max().item<double>(), rounding);
  EXPECT_LE((between.abs() - lambda).clamp_min(0).sum().item<double>(),
            rounding * static_cast<double>(y.size(1)));
  const Tensor steps = x.diff(1, 1);
  const Tensor missing = ((between - lambda * steps.sign()) * (steps.abs() > rounding)).abs();
  EXPECT_LE(missing.sum().item<double>(), rounding * static_cast<double>(y.size(1)));
}

TEST(TotalVariation, IsOptimalForRandomAndTiedSignals) {
  torch::manual_seed(3);
  for (int trial = 0; trial < 300; ++trial) {
    const std::int64_t n = 1 + trial % 40;
    const Tensor real = normal({1, n});
    const Tensor whole = (3 * real).round();
    for (const double lambda : {0.0, .25, 1.0, 2.5}) {
      expect_optimal(optim::total_variation(real, lambda).value, real, lambda);
      expect_optimal(optim::total_variation(whole, lambda).value, whole, lambda);
      if (testing::Test::HasFailure()) FAIL() << "trial " << trial << ", lambda " << lambda;
    }
  }
}

TEST(TotalVariation, HasItsExactValuesAndDerivatives) {
  const Tensor y = row({1, 2, 8, 9, 7, 3, 3.5});
  const auto fit = [](const Tensor& t) { return optim::total_variation(t, 3.0).value; };
  const optim::BlockFit result = optim::total_variation(y, 3.0);
  EXPECT_TRUE(close(result.value, row({3, 3, 6, 6, 6, 4.75, 4.75}), 1e-15));
  EXPECT_FALSE(result.weak.any());
  EXPECT_TRUE(close(jacobian(fit, y), averages({2, 3, 2}), 1e-15));
  const Tensor in_lambda =
      jacobian([&](const Tensor& t) { return optim::total_variation(y, t).value; }, vector({3.0}));
  EXPECT_TRUE(close(in_lambda.flatten(), vector({.5, .5, -2.0 / 3, -2.0 / 3, -2.0 / 3, .5, .5}), 1e-15));
}

TEST(TotalVariation, SaysWhereNeighborsAreWeaklyFused) {
  const Tensor weak = row({1, 2, 8, 9, 7, 3, 3.5});
  const Tensor y = torch::cat({weak, weak + row({0, .1, 0, 0, 0, 0, 0})});
  const optim::BlockFit fit = optim::total_variation(y, 1.0);
  EXPECT_TRUE(close(fit.value.narrow(0, 0, 1), row({2, 2, 7.5, 7.5, 7, 3.75, 3.75}), 1e-15));
  EXPECT_EQ(fit.weak, (Mask{1, 0}));
  const Tensor J = jacobian([](const Tensor& t) { return optim::total_variation(t, 1.0).value; }, weak);
  // Either side is right: fused, as weak forces are taken to be, or apart.
  EXPECT_TRUE(close(J, averages({2, 2, 1, 2}), 1e-15));
}

TEST(TotalVariation, TakesEveryLambda) {
  const Tensor y = normal({1, 9});
  EXPECT_TRUE(identical(optim::total_variation(y, 0.0).value, y));
  const Tensor lambda = vector({kInfinity}).requires_grad_();
  const Tensor flat = optim::total_variation(y, lambda).value;
  EXPECT_TRUE(close(flat, y.mean().expand({1, 9}), 1e-15));
  EXPECT_EQ(torch::autograd::grad({flat.sum()}, {lambda})[0].item<double>(), 0.0);
  EXPECT_TRUE(optim::total_variation(y, -1.0).value.isnan().all().item<bool>());
}

// The largest force in the one block of 1, −1, 1, … is 1. In a long row of floats a lambda of 1.002 is far
// from that, and 1 is at it.
TEST(TotalVariation, TellsWeakForcesInLongRowsOfFloats) {
  constexpr std::int64_t n = 20000;
  const Tensor y = (1 - 2 * torch::arange(n, options(torch::kFloat)).remainder(2)).unsqueeze(0);
  EXPECT_EQ(optim::total_variation(y, 1.002).weak, Mask{0});
  EXPECT_EQ(optim::total_variation(y, 1.0).weak, Mask{1});
}

TEST(FusedLasso, IsTheFitMovedTowardZero) {
  const Tensor y = row({1, 2, 8, 9, 7, 3, 3.5}) - 4;
  const optim::BlockFit fit = optim::fused_lasso(y, 3.0, .5);
  EXPECT_TRUE(close(fit.value, row({-.5, -.5, 1.5, 1.5, 1.5, .25, .25}), 1e-15));
  EXPECT_EQ(fit.weak, Mask{0});
  const optim::BlockFit at_kink = optim::fused_lasso(y, 3.0, .75);
  EXPECT_TRUE(close(at_kink.value, row({-.25, -.25, 1.25, 1.25, 1.25, 0, 0}), 1e-15));
  EXPECT_EQ(at_kink.weak, Mask{1});
}

}  // namespace
}  // namespace stillpoint::test
