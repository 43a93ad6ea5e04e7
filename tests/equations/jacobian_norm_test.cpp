#include "stillpoint/equations/diagnostics/jacobian_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

/// tanh(z W + x): a cell whose Jacobian is known, `[B, N, N]` with entry (i, j) = ∂f_i / ∂z_j.
struct TanhCell {
  explicit TanhCell(std::int64_t width = 4, std::int64_t batch = 3)
      : w((normal({width, width}) * 0.3).requires_grad_()), x(normal({batch, width}).requires_grad_()) {}
  Tensor operator()(const Tensor& z) const { return torch::tanh(z.matmul(w) + x); }
  Tensor jacobian(const Tensor& z) const { return (1 - (*this)(z).square()).unsqueeze(2) * w.t(); }

  Tensor w, x;
};

// The estimate from a dense Jacobian, with the random numbers that the library draws after this seed.
Tensor replayed_norm(const Tensor& jacobian, const Tensor& z, std::int64_t probes, std::uint64_t seed) {
  torch::manual_seed(seed);
  Tensor sum = torch::zeros({z.size(0)}, z.options());
  for (std::int64_t i = 0; i < probes; ++i) {
    const Tensor probe = torch::randn(z.sizes(), z.options()).flatten(1).unsqueeze(1);
    sum = sum + probe.bmm(jacobian).square().sum({1, 2});
  }
  return sum / static_cast<double>(probes * jacobian.size(2));
}

Tensor seeded_norm(const Map& f, const Tensor& z, std::int64_t probes, std::uint64_t seed) {
  torch::manual_seed(seed);
  return jacobian_norm(f, z, probes);
}

// A number made of the state, the regularizer's value and its curvature.
Tensor regularized_loss(const TanhCell& cell, const Tensor& z) {
  return z.pow(3).sum() + seeded_norm(cell, z, 2, 5).square().sum();
}

Tensor solve_tightly(const Map& f, const Tensor& z0) {
  return fixed_point(f, z0,
                     {.gradient = ImplicitGradient{.tolerance = {.relative = 1e-14, .absolute = 1e-15}},
                      .tolerance = {.relative = 1e-14, .absolute = 1e-15},
                      .on_failure = OnFailure::Ignore})
      .value;
}

TEST(JacobianNorm, IsThatOfTheDenseJacobian) {
  torch::manual_seed(1);
  const TanhCell cell;
  const Tensor z = normal({3, 4});
  for (const std::int64_t probes : {1, 3}) {
    const Tensor norm = seeded_norm(cell, z, probes, 7);
    EXPECT_EQ(norm.sizes(), at::IntArrayRef({3}));
    EXPECT_TRUE(close(norm, replayed_norm(cell.jacobian(z), z, probes, 7), 1e-13)) << probes;
  }
}

TEST(JacobianNorm, ApproachesTheFrobeniusNorm) {
  torch::manual_seed(2);
  const TanhCell cell;
  const Tensor z = normal({3, 4});
  const torch::NoGradGuard off;
  const Tensor expected = cell.jacobian(z).square().sum({1, 2}) / 4.0;
  const std::int64_t probes = 4000;
  // ‖εᵀJ‖² has a variance of 2 ‖J Jᵀ‖_F² ≤ 2 ‖J‖_F⁴: five standard deviations.
  const double allowed = 5.0 * std::sqrt(2.0 / static_cast<double>(probes));
  EXPECT_TRUE(close(seeded_norm(cell, z, probes, 3) / expected, torch::ones_like(expected), allowed));
}

TEST(JacobianNorm, HasTheDerivativesOfTheDenseOne) {
  torch::manual_seed(3);
  const TanhCell cell;
  const Tensor z = normal({3, 4}).requires_grad_();
  const std::vector<Tensor> inputs{cell.w, cell.x, z};
  const auto derivatives_of = [&](const Tensor& norm) {
    std::vector<Tensor> all = torch::autograd::grad({norm.sin().sum()}, inputs, {}, true, true);
    Tensor number = torch::zeros({}, z.options());
    for (const Tensor& g : all) number = number + g.pow(3).sum();
    for (const Tensor& g : torch::autograd::grad({number}, inputs, {}, true)) all.push_back(g);
    return all;
  };
  const auto actual = derivatives_of(seeded_norm(cell, z, 2, 9));
  const auto expected = derivatives_of(replayed_norm(cell.jacobian(z), z, 2, 9));
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(close(actual[i], expected[i], 1e-12)) << i;
}

TEST(JacobianNorm, CountsAnUpstreamTensorThatDependsOnTheStateOnce) {
  // ∂f/∂z is partial: what f captured is held, even if it was made of z.
  const Tensor z = normal({2, 3}).requires_grad_();
  const Tensor upstream = z.square();
  const Map f = [&](const Tensor& y) { return y * upstream; };
  const Tensor dense = torch::diag_embed(upstream);
  const Tensor actual = seeded_norm(f, z, 1, 4), expected = replayed_norm(dense, z, 1, 4);
  EXPECT_TRUE(close(actual, expected, 1e-14));
  EXPECT_TRUE(close(torch::autograd::grad({actual.sum()}, {z}, {}, true)[0],
                    torch::autograd::grad({expected.sum()}, {z}, {}, true)[0], 1e-14));
}

TEST(JacobianNorm, OfAFixedPointHasTheUnrolledGradient) {
  torch::manual_seed(5);
  const TanhCell cell;
  const std::vector<Tensor> inputs{cell.w, cell.x};
  Tensor unrolled = zeros({3, 4});
  for (int i = 0; i < 150; ++i) unrolled = cell(unrolled);
  const auto expected = torch::autograd::grad({regularized_loss(cell, unrolled)}, inputs, {}, true, true);
  const Tensor z = solve_tightly(cell, zeros({3, 4}));
  const auto actual = torch::autograd::grad({regularized_loss(cell, z)}, inputs, {}, true, true);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(close(actual[i], expected[i], 1e-11)) << i;

  const auto second = [&](const std::vector<Tensor>& first) {
    return torch::autograd::grad({first[0].pow(2).sum() + first[1].sin().sum()}, inputs, {}, true);
  };
  const auto expected_second = second(expected), actual_second = second(actual);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(close(actual_second[i], expected_second[i], 1e-10)) << i;

  // Without the part through z* it is another gradient.
  const auto partial = torch::autograd::grad({seeded_norm(cell, z.detach(), 2, 5).sum()}, inputs, {}, true);
  const auto whole = torch::autograd::grad({seeded_norm(cell, z, 2, 5).sum()}, inputs);
  EXPECT_GT(max_difference(partial[0], whole[0]), 1e-3);
}

TEST(JacobianNorm, OfAFixedPointHasTheGradientOfFiniteDifferences) {
  torch::manual_seed(6);
  const TanhCell cell;
  const auto loss = [&] { return regularized_loss(cell, solve_tightly(cell, zeros({3, 4}))); };
  const auto gradients = torch::autograd::grad({loss()}, {cell.w, cell.x});
  const Tensor directions[] = {normal({4, 4}), normal({3, 4})};
  const Tensor inputs[] = {cell.w, cell.x};
  for (int i = 0; i < 2; ++i) {
    const torch::NoGradGuard off;
    const double step = 1e-5;
    inputs[i].add_(directions[i], step);
    const double up = loss().item<double>();
    inputs[i].add_(directions[i], -2 * step);
    const double down = loss().item<double>();
    inputs[i].add_(directions[i], step);
    const double slope = (gradients[i] * directions[i]).sum().item<double>();
    EXPECT_NEAR(slope, (up - down) / (2 * step), 1e-7 * std::max(1.0, std::abs(slope))) << i;
  }
}

TEST(JacobianNorm, TakesStatesOfAnyShapeAndDtype) {
  const Tensor scale = torch::tensor(0.5, options()).requires_grad_();
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Map f = [&](const Tensor& z) { return z * scale.to(dtype); };
    for (const std::vector<std::int64_t>& shape :
         {std::vector<std::int64_t>{3}, {2, 3, 4}, {2, 2, 3, 1}, {0, 3}, {2, 0}}) {
      const Tensor z = normal(shape, dtype);
      const Tensor norm = jacobian_norm(f, z, 500);
      EXPECT_EQ(norm.sizes(), at::IntArrayRef({shape[0]}));
      EXPECT_EQ(norm.scalar_type(), dtype);
      if (z.numel() > 0) {
        EXPECT_NEAR(norm.mean().item<double>(), 0.25, 0.1);
      }
      norm.sum().backward();
    }
  }
  // Not contiguous: the same numbers.
  const TanhCell cell(4, 4);
  const Tensor z = normal({4, 4}), transposed = z.t().contiguous().t();
  EXPECT_TRUE(close(seeded_norm(cell, transposed, 2, 1), seeded_norm(cell, z, 2, 1), 1e-14));
}

TEST(JacobianNorm, OfATupleIsThatOfThePackedState) {
  torch::manual_seed(8);
  const TanhCell cell;
  const std::vector<Tensor> z{normal({3, 1}), normal({3, 3})};
  const TupleMap split = [&](const std::vector<Tensor>& parts) {
    return cell(torch::cat({parts[0], parts[1]}, 1)).split_with_sizes({1, 3}, 1);
  };
  torch::manual_seed(2);
  const Tensor norm = jacobian_norm(split, z, 2);
  const Tensor expected = seeded_norm(cell, torch::cat({z[0], z[1]}, 1), 2, 2);
  EXPECT_TRUE(close(norm, expected, 1e-14));
  EXPECT_TRUE(close(torch::autograd::grad({norm.sum()}, {cell.w})[0],
                    torch::autograd::grad({expected.sum()}, {cell.w})[0], 1e-13));
  expect_error([&] { jacobian_norm(TupleMap(), z); }, "f");
}

TEST(JacobianNorm, IsConstantWhereNothingAsksForGradients) {
  TanhCell cell;
  const Tensor z = normal({3, 4}), norm = seeded_norm(cell, z, 1, 1);
  EXPECT_TRUE(norm.requires_grad());
  {
    const torch::NoGradGuard off;
    const Tensor constant = seeded_norm(cell, z, 1, 1);
    EXPECT_FALSE(constant.requires_grad());
    EXPECT_TRUE(close(constant, norm, 1e-14));
  }
  cell.w = cell.w.detach();
  cell.x = cell.x.detach();
  EXPECT_FALSE(seeded_norm(cell, z, 1, 1).requires_grad());
  EXPECT_TRUE(seeded_norm(cell, z.clone().requires_grad_(), 1, 1).requires_grad());
  const Tensor ignored = jacobian_norm([&](const Tensor&) { return norm.unsqueeze(1).expand({3, 4}); }, z);
  EXPECT_TRUE(identical(ignored, zeros({3})));
}

TEST(JacobianNorm, LeavesOtherSamplesAloneWhereOneIsNan) {
  const TanhCell cell;
  const Tensor z = normal({3, 4}), clean = seeded_norm(cell, z, 1, 1);
  z.select(0, 1).fill_(std::nan(""));
  const Tensor norm = seeded_norm(cell, z, 1, 1);
  EXPECT_TRUE(norm[1].isnan().item<bool>());
  EXPECT_TRUE(identical(norm[0], clean[0]));
  EXPECT_TRUE(identical(norm[2], clean[2]));
}

TEST(JacobianNorm, RefusesMisuse) {
  const TanhCell cell;
  const Tensor z = normal({3, 4});
  expect_error([&] { jacobian_norm({}, z); }, "f");
  expect_error([&] { jacobian_norm(cell, {}); }, "z");
  expect_error([&] { jacobian_norm(cell, z.to(at::kLong)); }, "z");
  expect_error([&] { jacobian_norm(cell, zeros({})); }, "z");
  expect_error([&] { jacobian_norm(cell, z, 0); }, "probes");
  expect_error([&] { jacobian_norm([](const Tensor& y) { return y.sum(1); }, z); }, "f");
}

}  // namespace
}  // namespace stillpoint::test
