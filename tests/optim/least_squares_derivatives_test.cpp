// Derivatives of least squares: exact to third order, in data, weights and losses, and what Gauss and
// Newton's matrix would make of them.
#include <gtest/gtest.h>

#include <ATen/core/grad_mode.h>

#include <cmath>

#include "optim/fits.h"
#include "support/layer_check.h"

namespace stillpoint::test {
namespace {

// More residuals than unknowns, which do not vanish.
struct Bent {
  Tensor matrix, data;
  Tensor operator()(const Tensor& x) const {
    return torch::cat({x.matmul(matrix) + .1 * x.matmul(matrix).square() - data, .5 * x}, 1);
  }
};

TEST(LeastSquaresDerivatives, AreExactForEverySolver) {
  torch::manual_seed(1);
  for (const auto& solver : least_squares_solvers()) {
    const Layer layer = [&](const Solve&, const std::vector<Tensor>& in) {
      LeastSquaresOptions choice{.solver = solver};
      if (in[0].scalar_type() == torch::kDouble) choice.tolerance = {.relative = 1e-13, .absolute = 1e-14};
      const Tensor x0 = torch::zeros({in[0].size(0), in[1].size(0)}, in[0].options().requires_grad(false));
      return least_squares(Bent{in[1], in[0]}, x0, choice).value;
    };
    check_layer(layer, {per_sample(.5 * normal({4, 6})), shared(.5 * normal({3, 6}))},
                {.variants = {exact_variants().front()}});
  }
}

TEST(LeastSquaresDerivatives, AreExactForEveryLoss) {
  torch::manual_seed(2);
  const std::vector<RobustLoss> losses{optim::Huber{.4}, optim::SoftL1{.4}, optim::Cauchy{.6},
                                       optim::Tukey{3.0}};
  for (const auto& loss : losses) {
    const Layer layer = [&](const Solve&, const std::vector<Tensor>& in) {
      LeastSquaresOptions choice{.loss = loss};
      if (in[0].scalar_type() == torch::kDouble) choice.tolerance = {.relative = 1e-13, .absolute = 1e-14};
      const Tensor x0 = torch::zeros({in[0].size(0), in[1].size(0)}, in[0].options().requires_grad(false));
      return least_squares(Bent{in[1], in[0]}, x0, choice).value;
    };
    check_layer(layer, {per_sample(.5 * normal({4, 6})), shared(.5 * normal({3, 6}))},
                {.variants = {exact_variants().front()}});
  }
}

// The minimum over x of ½ (x² − p)² + ½ (x − 1)², beside divided differences of the derivative before.
TEST(LeastSquaresDerivatives, GoToThirdOrder) {
  const auto derivatives_at = [](double at) {
    const Tensor p = leaf({at}, {});
    const auto residual = [&](const Tensor& x) { return torch::cat({x.square() - p, x - 1}, 1); };
    const Tensor x = least_squares(residual, torch::ones({1, 1}, options()),
                                   {.tolerance = {.relative = 1e-14}, .on_failure = OnFailure::Throw})
                         .value;
    const Tensor first = gradients(x.sum(), {p}, true)[0];
    const Tensor second = gradients(first, {p}, true)[0];
    const Tensor third = gradients(second, {p})[0];
    return std::vector<double>{x.item<double>(), first.item<double>(), second.item<double>(),
                               third.item<double>()};
  };
  constexpr double h = 1e-4;
  const auto here = derivatives_at(3.0);
  const auto before = derivatives_at(3.0 - h);
  const auto after = derivatives_at(3.0 + h);
  for (int k = 0; k < 3; ++k) EXPECT_NEAR(here[k + 1], (after[k] - before[k]) / (2 * h), 1e-8) << k;
}

// db₁/dy of NIST's Misra1a, computed in 40 digits.
TEST(LeastSquaresDerivatives, AreThoseOfTheExactHessianUnlessAskedOtherwise) {
  const auto slopes = [](optim::Hessian hessian) {
    Saturation residual = misra1a();
    residual.y.requires_grad_();
    const auto [b, stats] =
        least_squares(residual, row({250, .0005}), {.tolerance = {.relative = 1e-13}, .hessian = hessian});
    EXPECT_TRUE(stats.converged()) << stats.full();
    return slopes_of(b, residual.y)[0];
  };
  const Tensor exact = slopes(optim::Hessian::Exact);
  EXPECT_TRUE(
      close(exact.slice(0, 0, 3), vector({-4.137084604208, -5.554617628658, -6.339390455965}), 1e-10));
  EXPECT_NEAR(exact.sum().item<double>(), -32.86168208083, 1e-8);
  const Tensor other = slopes(optim::Hessian::GaussNewton);
  const double error = ((other - exact).abs().max() / exact.abs().max()).item<double>();
  EXPECT_GE(error, 2.6e-3);
  EXPECT_LE(error, 2.8e-3);
}

// Without residuals both are the same.
TEST(LeastSquaresDerivatives, OfGaussNewtonAreExactWhereResidualsVanish) {
  const Tensor p = leaf({0.4, 1.2}, {1, 2});
  const auto residual = [&](const Tensor& x) {
    return torch::cat({x + x.pow(3) - p, 2 * x + 2 * x.pow(3) - 2 * p}, 1);
  };
  const auto slope = [&](optim::Hessian hessian) {
    const Tensor x = least_squares(residual, zeros({1, 2}), {.hessian = hessian}).value;
    return gradients(x.sum(), {p})[0];
  };
  EXPECT_TRUE(close(slope(optim::Hessian::GaussNewton), slope(optim::Hessian::Exact), 1e-9));
  const Tensor x = least_squares(residual, zeros({1, 2}), {.hessian = optim::Hessian::GaussNewton}).value;
  expect_error([&] { torch::autograd::grad({x.sum()}, {p}, {}, true, /*create_graph=*/true); },
               "expected it to capture the same");
}

// A weighted mean: dx/dw is known to any order.
TEST(LeastSquaresDerivatives, FollowWeightsThatAreLearned) {
  const Tensor w = leaf({1.0, 2.0, 0.5});
  const Tensor data = vector({1.0, 4.0, -2.0});
  for (const auto& solver : least_squares_solvers()) {
    const Tensor x =
        least_squares([&](const Tensor& z) { return w * (z - data); }, row({0.0}), {.solver = solver}).value;
    const auto right = [&] { return (w.square() * data).sum() / w.square().sum(); };
    EXPECT_TRUE(close(x.sum(), right(), 1e-12));
    const Tensor first = gradients(x.sum(), {w}, true)[0];
    const Tensor expected = gradients(right(), {w}, true)[0];
    EXPECT_TRUE(close(first, expected, 1e-10)) << solver.name();
    EXPECT_TRUE(
        close(gradients(first.square().sum(), {w})[0], gradients(expected.square().sum(), {w})[0], 1e-9));
  }
}

// A loss of one's own, with a scale that is learned.
TEST(LeastSquaresDerivatives, FollowAScaleThatIsLearned) {
  const Tensor data = vector({1.0, 1.2, 0.8, 1.1, 4.0});
  const auto location = [&](const Tensor& scale) {
    const auto loss = [scale](const Tensor& s) { return scale.square() * (s / scale.square()).log1p(); };
    return least_squares([&](const Tensor& x) { return x - data; }, row({1.0}), {.loss = RobustLoss(loss)})
        .value;
  };
  const Tensor scale = leaf({0.7}, {});
  const Tensor x = location(scale);
  EXPECT_TRUE(
      close(x,
            least_squares([&](const Tensor& z) { return z - data; }, row({1.0}), {.loss = optim::Cauchy{0.7}})
                .value,
            1e-12));
  const double slope = gradients(x.sum(), {scale})[0].item<double>();
  const at::NoGradGuard no_grad;
  const double difference = (location(scale + 1e-5) - location(scale - 1e-5)).item<double>() / 2e-5;
  EXPECT_NEAR(slope, difference, 1e-8);
  EXPECT_GT(std::abs(slope), 1e-3);
}

}  // namespace
}  // namespace stillpoint::test
