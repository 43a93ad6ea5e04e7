#include "stillpoint/equations/diagnostics/spectral_radius.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"
#include "support/problems.h"
#include "support/warnings.h"

namespace stillpoint::test {
namespace {

/// z ↦ A z for each sample, with A `[B, N, N]`.
Map linear_map(const Tensor& a) {
  return [a](const Tensor& z) { return a.matmul(z.flatten(1).unsqueeze(2)).view(z.sizes()); };
}

std::vector<double> radii_of(const Tensor& a, const SpectralRadiusOptions& how = {}) {
  return spectral_radius(linear_map(a), torch::zeros({a.size(0), a.size(2)}, a.options()), how);
}

std::vector<double> dense_radii(const Tensor& a) {
  const Tensor radii = torch::linalg_eigvals(a.to(at::kCPU, at::kDouble)).abs().amax(1).contiguous();
  return {radii.data_ptr<double>(), radii.data_ptr<double>() + radii.numel()};
}

TEST(SpectralRadius, OfScaledRotationsIsTheScale) {
  std::vector<Tensor> rotations;
  for (int i = 0; i <= 24; ++i) {
    const double angle = i * std::acos(-1.0) / 12.0, c = std::cos(angle), s = std::sin(angle);
    rotations.push_back(0.9 * vector({c, -s, s, c}).view({2, 2}));
  }
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    for (const double radius : radii_of(torch::stack(rotations).to(dtype))) {
      EXPECT_NEAR(radius, 0.9, dtype == at::kDouble ? 1e-14 : 1e-6);
    }
  }
}

TEST(SpectralRadius, IsThatOfDenseEigenvalues) {
  torch::manual_seed(1);
  for (const std::int64_t width : {1, 2, 5, 20, 50}) {
    const Tensor a = normal({6, width, width}) / std::sqrt(static_cast<double>(width));
    const auto expected = dense_radii(a), actual = radii_of(a, {.max_products = 2000, .tolerance = 1e-11});
    for (std::size_t b = 0; b < expected.size(); ++b) {
      EXPECT_NEAR(actual[b], expected[b], 1e-9) << "width " << width << ", sample " << b;
    }
    const auto in_float = radii_of(a.to(at::kFloat), {.max_products = 2000});
    for (std::size_t b = 0; b < expected.size(); ++b) EXPECT_NEAR(in_float[b], expected[b], 2e-3) << width;
  }
}

TEST(SpectralRadius, WithTheDefaultsIsGoodToTheTolerance) {
  torch::manual_seed(2);
  const Tensor a = normal({8, 50, 50}) / std::sqrt(50.0);
  const auto expected = dense_radii(a), actual = radii_of(a, {.on_failure = OnFailure::Throw});
  for (std::size_t b = 0; b < expected.size(); ++b) EXPECT_NEAR(actual[b], expected[b], 2e-3) << b;
}

TEST(SpectralRadius, NeedsNoMoreThanASmallSubspace) {
  torch::manual_seed(3);
  const Tensor a = normal({3, 30, 30}) / std::sqrt(30.0);
  const auto expected = dense_radii(a);
  for (const std::int64_t subspace : {5, 6, 8, 13}) {
    const auto actual =
        radii_of(a, {.subspace = subspace, .max_products = 5000, .on_failure = OnFailure::Throw});
    for (std::size_t b = 0; b < expected.size(); ++b) EXPECT_NEAR(actual[b], expected[b], 2e-3) << subspace;
  }
}

TEST(SpectralRadius, OfInvariantSubspaces) {
  // Each ends before the basis is full: multiples of the identity, of a swap, a projection, and zero.
  const std::int64_t n = 30;
  const Tensor identity = torch::eye(n, options()), u = normal({n, 1});
  const Tensor all =
      torch::stack({0.7 * identity, -0.6 * identity.flip(0), identity - u.matmul(u.t()) / u.square().sum(),
                    torch::zeros_like(identity)});
  const auto radii = radii_of(all, {.on_failure = OnFailure::Throw});
  const double expected[] = {0.7, 0.6, 1.0, 0.0};
  for (int b = 0; b < 4; ++b) EXPECT_NEAR(radii[b], expected[b], 1e-12) << b;
}

TEST(SpectralRadius, OfAJordanBlock) {
  // Nilpotent of width 4: rounding of size ε moves its eigenvalues to ε^(1/4).
  const Tensor shift = torch::diag(torch::ones({3}, options()), 1).unsqueeze(0);
  EXPECT_LT(radii_of(shift)[0], 1e-3);
  EXPECT_NEAR(radii_of(shift + 0.5 * torch::eye(4, options()))[0], 0.5, 1e-3);
  // Wider than the subspace, where eigenvectors cannot serve as a basis to restart with.
  const Tensor wide = 0.2 * torch::diag(torch::ones({39}, options()), 1) + 0.5 * torch::eye(40, options());
  const double radius = radii_of(wide.unsqueeze(0), {.subspace = 6, .on_failure = OnFailure::Ignore})[0];
  EXPECT_GT(radius, 0.45);
  EXPECT_LT(radius, 0.7);  // ‖A‖, the largest that a perturbation in rounding can make it look
}

TEST(SpectralRadius, IsZeroWhereTheMapIgnoresItsState) {
  const Tensor c = normal({3, 4}).requires_grad_();
  for (const Map& f : {Map([&](const Tensor&) { return c; }), Map([&](const Tensor& z) { return c + 0 * z; }),
                       Map([](const Tensor& z) { return torch::ones_like(z); })}) {
    EXPECT_EQ(spectral_radius(f, zeros({3, 4}), {.on_failure = OnFailure::Throw}),
              std::vector<double>(3, 0.0));
  }
}

TEST(SpectralRadius, PredictsTheRateOfPicard) {
  const Problem problem = affine(0.9, /*normal=*/true, at::kDouble);
  for (const double radius : spectral_radius(problem.f, problem.solution)) EXPECT_NEAR(radius, 0.9, 2e-4);
  const Problem slow = shifted_cosine(at::kDouble);
  for (const double radius : spectral_radius(slow.f, slow.solution)) EXPECT_NEAR(radius, 1.0, 1e-9);
}

TEST(SpectralRadius, LeavesOtherSamplesAloneWhereOneIsNan) {
  torch::manual_seed(4);
  const Tensor a = normal({3, 30, 30}) / std::sqrt(30.0);
  const auto clean = radii_of(a);
  a.select(0, 1).fill_(std::nan(""));
  const WarningRecorder warnings;
  const auto radii = radii_of(a);
  EXPECT_TRUE(std::isnan(radii[1]));
  EXPECT_EQ(radii[0], clean[0]);
  EXPECT_EQ(radii[2], clean[2]);
  ASSERT_EQ(warnings.messages().size(), 1u);
  EXPECT_NE(warnings.messages()[0].find("Arnoldi"), std::string::npos) << warnings.messages()[0];
}

TEST(SpectralRadius, OfASampleAloneIsThatInTheBatch) {
  torch::manual_seed(5);
  const Tensor a = normal({3, 30, 30}) / std::sqrt(30.0);
  const auto together = radii_of(a);
  for (std::int64_t b = 0; b < 3; ++b) {
    EXPECT_NEAR(radii_of(a.narrow(0, b, 1))[0], together[static_cast<std::size_t>(b)], 1e-9) << b;
  }
}

TEST(SpectralRadius, SaysWhereItRanOut) {
  torch::manual_seed(6);
  const Tensor a = normal({2, 50, 50}) / std::sqrt(50.0);
  const auto few = [&](OnFailure how) { return radii_of(a, {.max_products = 7, .on_failure = how}); };
  for (const double radius : few(OnFailure::Ignore)) EXPECT_TRUE(radius > 0.3 && radius < 1.5) << radius;
  const WarningRecorder warnings;
  few(OnFailure::Warn);
  EXPECT_EQ(warnings.messages().size(), 1u);
  expect_error([&] { few(OnFailure::Throw); }, "Arnoldi");
}

TEST(SpectralRadius, TakesStatesOfAnyShapeAndLeavesTheGeneratorsAlone) {
  torch::manual_seed(7);
  const Tensor a = normal({2, 12, 12}) / std::sqrt(12.0);
  torch::manual_seed(8);
  const auto flat = radii_of(a);
  const Tensor drawn = torch::rand({1});
  torch::manual_seed(8);
  EXPECT_TRUE(identical(drawn, torch::rand({1})));
  const Tensor z = torch::zeros({2, 4, 3}, a.options()).transpose(1, 2);
  const auto shaped = spectral_radius([&](const Tensor& y) { return linear_map(a)(y.contiguous()); }, z);
  for (std::size_t b = 0; b < 2; ++b) EXPECT_NEAR(shaped[b], flat[b], 1e-9);
  const Map half = [](const Tensor& y) { return 0.5 * y; };
  EXPECT_EQ(spectral_radius(half, zeros({0, 3})).size(), 0u);
  EXPECT_EQ(spectral_radius(half, zeros({2, 0})), std::vector<double>(2, 0.0));
  for (const double radius : spectral_radius(half, zeros({2}))) EXPECT_NEAR(radius, 0.5, 1e-14);
}

TEST(SpectralRadius, IsThereInInferenceMode) {
  const Map f = [rates = vector({0.5, 0.9})](const Tensor& z) { return z * rates; };
  const c10::InferenceMode inference;
  for (const double radius : spectral_radius(f, torch::ones({2, 2}, options())))
    EXPECT_NEAR(radius, 0.9, 1e-4);
  EXPECT_GT(jacobian_norm(f, torch::ones({2, 2}, options())).min().item<double>(), 0.0);
}

TEST(SpectralRadius, TakesTuples) {
  // (p, q) ↦ (0.8 q, 0.5 p): eigenvalues ± √0.4.
  const TupleMap swap = [](const std::vector<Tensor>& z) {
    return std::vector<Tensor>{0.8 * z[1].view({2, 3}), 0.5 * z[0].view({2, 3, 1})};
  };
  const auto radii = spectral_radius(swap, {zeros({2, 3}), zeros({2, 3, 1})});
  ASSERT_EQ(radii.size(), 2u);
  for (const double radius : radii) EXPECT_NEAR(radius, std::sqrt(0.4), 1e-4);
  expect_error([] { spectral_radius(TupleMap(), {zeros({2, 3})}); }, "f");
}

TEST(SpectralRadius, RefusesMisuse) {
  const Map half = [](const Tensor& z) { return 0.5 * z; };
  const Tensor z = zeros({2, 3});
  expect_error([&] { spectral_radius({}, z); }, "f");
  expect_error([&] { spectral_radius(half, {}); }, "z");
  expect_error([&] { spectral_radius(half, z, {.subspace = 2}); }, "subspace");
  expect_error([&] { spectral_radius(half, z, {.max_products = 0}); }, "max_products");
  expect_error([&] { spectral_radius(half, z, {.tolerance = 0.0}); }, "tolerance");
  expect_error([&] { spectral_radius([](const Tensor& y) { return y.sum(1); }, z); }, "f");
}

}  // namespace
}  // namespace stillpoint::test
