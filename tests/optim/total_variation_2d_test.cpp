// Total variation of grids: known fits, a dual certificate for each, and agreement with one dimension and
// with a quadratic program.
#include <gtest/gtest.h>

#include <cmath>

#include "optim/programs.h"
#include "optim/projections/grid_blocks.h"

namespace stillpoint::test {
namespace {

// The dual solution: what goes to the right and to below, `[H, W − 1]` and `[H − 1, W]`.
struct Forces {
  Tensor right, below;
};

Forces forces(const Tensor& y, double lambda) {
  const std::int64_t height = y.size(0);
  const std::int64_t width = y.size(1);
  const Tensor numbers = y.cpu().contiguous();
  const detail::GridFit fit(numbers.data_ptr<double>(), height, width, lambda);
  const Tensor right = torch::zeros({height, width}, torch::kDouble);
  const Tensor below = torch::zeros({height, width}, torch::kDouble);
  std::int64_t i = 0;
  for (const std::int64_t pixel : fit.flow.pixels()) {
    right.data_ptr<double>()[i] = fit.flow.to_right(pixel);
    below.data_ptr<double>()[i++] = fit.flow.to_below(pixel);
  }
  return {right.narrow(1, 0, width - 1).to(device()), below.narrow(0, 0, height - 1).to(device())};
}

// What goes out of each pixel, less what comes in.
Tensor outflow(const Forces& f) {
  const auto pad = [](const Tensor& t, std::vector<std::int64_t> by) {
    return torch::constant_pad_nd(t, by);
  };
  return pad(f.right, {0, 1, 0, 0}) - pad(f.right, {1, 0, 0, 0}) + pad(f.below, {0, 0, 0, 1}) -
         pad(f.below, {0, 0, 1, 0});
}

// Such forces prove that x is the solution: they are at most lambda, all of it from the higher to the lower
// where neighbors differ, and leave x of y.
void expect_certified(const Tensor& x, const Tensor& y, double lambda) {
  const double rounding =
      1e-15 * (y.abs().max().item<double>() + 4 * lambda) * static_cast<double>(8 + y.numel());
  const Forces f = forces(y, lambda);
  EXPECT_LE((y - outflow(f) - x).abs().max().item<double>(), rounding);
  const auto check = [&](const Tensor& force, const Tensor& step) {
    if (force.numel() == 0) return;
    EXPECT_LE(force.abs().max().item<double>(), lambda);
    const Tensor missing = (force + lambda * step.sign()) * (step.abs() > rounding);
    EXPECT_EQ(missing.abs().max().item<double>(), 0.0);
  };
  check(f.right, x.diff(1, 1));
  check(f.below, x.diff(1, 0));
}

Tensor fit(const Tensor& y, double lambda) {
  return optim::total_variation_2d(y.unsqueeze(0), lambda).value[0];
}

TEST(TotalVariation2d, IsCertifiedByItsForces) {
  torch::manual_seed(3);
  for (int trial = 0; trial < 200; ++trial) {
    const Tensor real = normal({1 + trial % 11, 1 + trial % 13});
    const Tensor whole = (3 * real).round();  // with ties
    for (const double lambda : {0.0, .1, .25, .5, 1.0, 2.5}) {
      expect_certified(fit(real, lambda), real, lambda);
      expect_certified(fit(whole, lambda), whole, lambda);
      if (testing::Test::HasFailure()) FAIL() << "trial " << trial << ", lambda " << lambda;
    }
  }
}

TEST(TotalVariation2d, IsCertifiedForPictures) {
  torch::manual_seed(4);
  const Tensor row = torch::arange(96, options()).unsqueeze(1);
  const Tensor column = torch::arange(80, options()).unsqueeze(0);
  const Tensor disk = ((row - 40).square() + (column - 30).square() < 600).to(torch::kDouble);
  const Tensor slope = .05 * row + .02 * column;
  for (const Tensor& y :
       {disk + .3 * normal({96, 80}), slope + 0 * disk, slope + disk + .1 * normal({96, 80})}) {
    for (const double lambda : {.05, .5, 5.0}) expect_certified(fit(y, lambda), y, lambda);
  }
}

TEST(TotalVariation2d, HasItsExactValuesAndDerivatives) {
  const Tensor y = torch::tensor({{{1.0, 1.5}, {.5, 5.0}}}, options());
  const auto result = optim::total_variation_2d(y, 1.0);
  EXPECT_TRUE(close(result.value, torch::tensor({{{5.0 / 3, 5.0 / 3}, {5.0 / 3, 3.0}}}, options()), 1e-15));
  EXPECT_FALSE(result.weak.any());
  const Tensor third = torch::full({3, 3}, 1.0 / 3, options());
  const Tensor J = jacobian([](const Tensor& t) { return optim::total_variation_2d(t, 1.0).value; }, y);
  EXPECT_TRUE(close(J, torch::block_diag({third, torch::ones({1, 1}, options())}), 1e-15));
  const auto of_lambda = [&](const Tensor& t) { return optim::total_variation_2d(y, t).value; };
  const Tensor in_lambda = jacobian(of_lambda, vector({1.0}));
  EXPECT_TRUE(close(in_lambda.flatten(), vector({2.0 / 3, 2.0 / 3, 2.0 / 3, -2}), 1e-15));
}

// The corner is 5 − 2 lambda, the rest 1 + 2 lambda / 3: they meet at lambda = 3/2.
TEST(TotalVariation2d, SaysWhereABlockIsWeaklyHeld) {
  const Tensor y = torch::tensor({{{1.0, 1.0}, {1.0, 5.0}}}, options()).expand({3, 2, 2});
  const auto [x, weak] = optim::total_variation_2d(y, vector({1.4, 1.5, 1.6}));
  EXPECT_EQ(weak, (Mask{0, 1, 0}));
  EXPECT_TRUE(close(x.narrow(0, 1, 2), torch::full({2, 2, 2}, 2.0, options()), 1e-15));
  const auto in_float =
      optim::total_variation_2d(y.to(torch::kFloat), vector({1.4, 1.5, 1.6}).to(torch::kFloat));
  EXPECT_EQ(in_float.weak, weak);
  // Nothing is weak in large pictures of noise with blocks of thousands of pixels, nor in float.
  torch::manual_seed(9);
  const Tensor noise = normal({1, 96, 96});
  EXPECT_FALSE(optim::total_variation_2d(noise, 1.5).weak.any());
  EXPECT_FALSE(optim::total_variation_2d(noise.to(torch::kFloat), 1.5).weak.any());
  // A constant picture is held together, unless by nothing.
  const Tensor constant = torch::full({2, 3, 3}, .1, options());
  EXPECT_EQ(optim::total_variation_2d(constant, vector({1.0, 0.0})).weak, (Mask{0, 1}));
}

TEST(TotalVariation2d, IsThatOfOneDimensionForARowAndForAColumn) {
  torch::manual_seed(5);
  const Tensor y = torch::cat({normal({20, 31}), (2 * normal({20, 31})).round()});
  const auto expected = optim::total_variation(y, .7);
  for (const bool is_row : {true, false}) {
    const auto got = optim::total_variation_2d(y.unsqueeze(is_row ? 1 : 2), .7);
    EXPECT_TRUE(close(got.value.flatten(1), expected.value, 1e-14));
    EXPECT_EQ(got.weak, expected.weak);
  }
}

// min ½‖x − y‖² + lambda Σ t subject to −t ≤ Dx ≤ t, with its derivatives.
TEST(TotalVariation2d, IsTheSolutionOfAQuadraticProgram) {
  torch::manual_seed(6);
  const Tensor y = normal({6, 3, 4}).requires_grad_();
  const Tensor lambda = vector({.05, .2, .3, .4, .6, .9}).requires_grad_();
  std::vector<Tensor> rows;
  const Tensor pixels = torch::eye(12, options()).view({3, 4, 12});
  rows.push_back((pixels.narrow(1, 1, 3) - pixels.narrow(1, 0, 3)).reshape({-1, 12}));
  rows.push_back((pixels.narrow(0, 1, 2) - pixels.narrow(0, 0, 2)).reshape({-1, 12}));
  const Tensor D = torch::cat(rows);
  const Tensor t = torch::eye(D.size(0), options());
  const Tensor G = torch::cat({torch::cat({D, -t}, 1), torch::cat({-D, -t}, 1)});
  const auto program =
      quadratic_program({.Q = torch::block_diag({torch::eye(12, options()), zeros({D.size(0), D.size(0)})}),
                         .p = torch::cat({-y.flatten(1), lambda.unsqueeze(1).expand({6, D.size(0)})}, 1),
                         .G = G,
                         .h = zeros({G.size(0)})});
  ASSERT_TRUE(program.stats.optimal()) << program.stats.full();
  const Tensor expected = program.x.narrow(1, 0, 12).view_as(y);
  const Tensor x = optim::total_variation_2d(y, lambda).value;
  EXPECT_TRUE(close(x, expected, 1e-12));
  const Tensor weight = normal({6, 3, 4});
  const auto got = gradients((weight * x.square()).sum(), {y, lambda});
  const auto right = gradients((weight * expected.square()).sum(), {y, lambda});
  EXPECT_TRUE(close(got[0], right[0], 1e-11));
  EXPECT_TRUE(close(got[1], right[1], 1e-11));
}

TEST(TotalVariation2d, TakesEveryLambda) {
  const Tensor y = normal({1, 4, 5});
  EXPECT_TRUE(identical(optim::total_variation_2d(y, 0.0).value, y));
  for (const double lambda : {1e3, 1e300, kInfinity}) {
    const auto [x, weak] = optim::total_variation_2d(y, lambda);
    EXPECT_TRUE(close(x, y.mean().expand_as(y), 1e-15)) << lambda;
    EXPECT_FALSE(weak.any());
  }
  EXPECT_TRUE(optim::total_variation_2d(y, -1.0).value.isnan().all().item<bool>());
  EXPECT_TRUE(optim::total_variation_2d(y, std::nan("")).value.isnan().all().item<bool>());
  // At zero every step costs, to the right of it, what its sides change by.
  const auto of_lambda = [&](const Tensor& t) { return optim::total_variation_2d(y, t).value; };
  const Tensor slope = jacobian(of_lambda, vector({0.0}));
  EXPECT_TRUE(close(slope.view_as(y), (of_lambda(vector({1e-6})) - y) / 1e-6, 1e-8));
}

TEST(TotalVariation2d, ScalesWithItsNumbers) {
  torch::manual_seed(7);
  const Tensor y = normal({2, 6, 5});
  const auto expected = optim::total_variation_2d(y, .4);
  for (const double unit : {0x1p-300, 0x1p300}) {
    const auto got = optim::total_variation_2d(unit * y, unit * .4);
    EXPECT_TRUE(identical(got.value, unit * expected.value));
    EXPECT_EQ(got.weak, expected.weak);
  }
}

}  // namespace
}  // namespace stillpoint::test
