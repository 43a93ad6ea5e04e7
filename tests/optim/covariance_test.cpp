// The covariance of estimates by least squares.
#include <gtest/gtest.h>

#include <cmath>

#include "optim/fits.h"

namespace stillpoint::test {
namespace {

// A straight line through points, for which the covariance is written in every textbook.
struct Line {
  Tensor x, y;
  Tensor operator()(const Tensor& b) const { return b.slice(1, 0, 1) + b.slice(1, 1, 2) * x - y; }
  Tensor matrix(const Tensor& b) const {
    const Tensor columns = torch::stack({torch::ones_like(x), x}, 1);
    const Tensor variance = (*this)(b).square().sum() / static_cast<double>(x.size(0) - 2);
    return variance * torch::linalg_inv(columns.t().matmul(columns));
  }
};

TEST(Covariance, IsThatOfALine) {
  const Line line{vector({0, 1, 2, 3, 5}), leaf({1.0, 2.9, 5.2, 6.8, 11.3})};
  const Tensor b = least_squares(line, zeros({1, 2})).value;
  const Covariance found = covariance(line, b);
  EXPECT_TRUE(close(found.matrix[0], line.matrix(b), 1e-13));
  EXPECT_TRUE(close(found.deviation[0], line.matrix(b).diagonal().sqrt(), 1e-13));
  EXPECT_EQ(found.rank, std::vector<std::int64_t>{2});
  // In the data, through the estimate, to second order.
  const auto first = gradients(found.deviation.sum(), {line.y}, true)[0];
  const auto expected = gradients(line.matrix(b).diagonal().sqrt().sum(), {line.y}, true)[0];
  EXPECT_TRUE(close(first, expected, 1e-10));
  EXPECT_TRUE(close(gradients(first.square().sum(), {line.y})[0],
                    gradients(expected.square().sum(), {line.y})[0], 1e-8));
}

TEST(Covariance, TakesAKnownVarianceAndWeights) {
  const Line line{vector({0, 1, 2, 3, 5}), vector({1.0, 2.9, 5.2, 6.8, 11.3})};
  const Tensor b = least_squares(line, zeros({1, 2})).value;
  const Covariance unit = covariance(line, b, {.variance = 1.0});
  EXPECT_TRUE(close(unit.matrix * covariance(line, b).variance, covariance(line, b).matrix, 1e-13));
  // A loss that leaves a point out leaves it out of the covariance.
  const Line off{vector({0, 1, 2, 3, 5, 4}), vector({1.0, 2.9, 5.2, 6.8, 11.3, 100.0})};
  const Covariance robust = covariance(off, b, {.loss = optim::Tukey{3.0}, .variance = 1.0});
  EXPECT_TRUE(close(robust.matrix, unit.matrix, 0.02));
}

TEST(Covariance, DoesNotDependOnUnits) {
  const Saturation residual = misra1a();
  const Tensor b = least_squares(residual, row({250, .0005})).value;
  const Covariance right = covariance(residual, b);
  EXPECT_TRUE(close(right.deviation / row({2.7070075241, 7.2668688436E-06}), torch::ones_like(b), 1e-8));
  const Tensor units = row({0x1p30, 0x1p-40});
  const Covariance other =
      covariance([&](const Tensor& z) { return 0x1p-50 * residual(z / units); }, b * units);
  EXPECT_TRUE(close(other.deviation / units / right.deviation, torch::ones_like(b), 1e-10));
}

TEST(Covariance, SaysWhereTheUnknownsAreNotDetermined) {
  const auto residual = [](const Tensor& x) {
    const Tensor second = x.slice(1, 1, 2) * vector({1.0, 0.0}).view({2, 1});
    return torch::cat({x.slice(1, 0, 1) - 1, second - 2, x.slice(1, 0, 1) + second}, 1);
  };
  const Covariance found = covariance(residual, torch::ones({2, 2}, options()));
  EXPECT_EQ(found.singular, (Mask{0, 1}));
  EXPECT_EQ(found.rank, (std::vector<std::int64_t>{2, 1}));
  EXPECT_TRUE(found.matrix[0].isfinite().all().item<bool>());
  EXPECT_TRUE(found.matrix[1].isnan().all().item<bool>());
  EXPECT_TRUE(found.deviation[1].isnan().all().item<bool>());
  // As many residuals as unknowns leave nothing to estimate s² from.
  const Covariance none = covariance([](const Tensor& x) { return x - 1; }, zeros({1, 2}));
  EXPECT_TRUE(none.variance.isnan().all().item<bool>());
}

TEST(Covariance, CountsWhatABoundHoldsAsKnown) {
  const Line line{vector({0, 1, 2, 3, 5}), vector({1.0, 2.9, 5.2, 6.8, 11.3})};
  const Tensor upper = vector({kInfinity, 1.5});
  const Tensor b = least_squares(line, zeros({1, 2}), {.upper = upper}).value;
  EXPECT_EQ(b[0][1].item<double>(), 1.5);
  const Covariance found = covariance(line, b, {.upper = upper});
  const double variance = line(b).square().sum().item<double>() / 4;
  EXPECT_NEAR(found.variance.item<double>(), variance, 1e-12);
  EXPECT_TRUE(close(found.matrix[0], vector({variance / 5, 0, 0, 0}).view({2, 2}), 1e-12));
  EXPECT_EQ(found.rank, std::vector<std::int64_t>{1});
  EXPECT_EQ(found.deviation[0][1].item<double>(), 0.0);
}

TEST(Covariance, NamesWhatDoesNotFit) {
  const auto r = [](const Tensor& x) { return x - 1; };
  expect_error([&] { covariance(Map(), zeros({1, 2})); }, "residual: expected a function");
  expect_error([&] { covariance(r, zeros({0, 2})); }, "x: expected numbers");
  expect_error([&] { covariance(r, zeros({1, 2}), {.variance = 0.0}); }, "variance: expected a number > 0");
  expect_error([&] { covariance(r, zeros({1, 2}), {.block = 3}); }, "block: expected a divisor");
}

}  // namespace
}  // namespace stillpoint::test
