// Not converging is data; whether it is also a warning or an exception is the caller's choice, forward and
// backward.
#include <gtest/gtest.h>

#include "linear/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/problems.h"
#include "support/warnings.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

FixedPointOptions too_few(OnFailure on_failure) {
  return {.solver = Picard{}, .max_iterations = 2, .on_failure = on_failure};
}

// A layer whose backward solve is stopped after one product.
struct InaccurateBackward {
  Tensor a = affine_matrix(6, 0.9, false).to(options());
  Tensor x = normal({3, 6}).requires_grad_();
  Solution<Tensor> solve(OnFailure on_failure,
                         const LinearSolver& solver = Gmres{.max_iterations = 1}) const {
    return fixed_point([a = a, x = x](const Tensor& z) { return torch::tanh(z.matmul(a)) + x; },
                       zeros({3, 6}),
                       {.gradient = ImplicitGradient{.linear_solver = solver}, .on_failure = on_failure});
  }
};

TEST(OnFailure, Throws) {
  const Problem problem = affine(0.9, true, at::kDouble);
  const auto message = error_of([&] { fixed_point(problem.f, problem.z0, too_few(OnFailure::Throw)); });
  for (const char* part : {"Picard", "max iterations", "#0", "residual"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is missing from " << message;
  }
}

TEST(OnFailure, WarnsOnce) {
  const Problem problem = affine(0.9, true, at::kDouble);
  const WarningRecorder warnings;
  const auto stats = fixed_point(problem.f, problem.z0, too_few(OnFailure::Warn)).stats;
  ASSERT_EQ(warnings.messages().size(), 1u);
  EXPECT_NE(warnings.messages()[0].find(stats.brief()), std::string::npos) << warnings.messages()[0];
}

TEST(OnFailure, IsIgnored) {
  const Problem problem = affine(0.9, true, at::kDouble);
  const WarningRecorder warnings;
  const auto stats = fixed_point(problem.f, problem.z0, too_few(OnFailure::Ignore)).stats;
  EXPECT_EQ(stats.count(Status::MaxIterations), 3);
  EXPECT_TRUE(warnings.messages().empty());
}

TEST(OnFailure, SaysNothingOfSuccess) {
  const Problem problem = affine(0.9, true, at::kDouble);
  const WarningRecorder warnings;
  fixed_point(problem.f, problem.z0);
  EXPECT_TRUE(warnings.messages().empty());
}

TEST(Backward, IsReported) {
  const auto [value, stats] = InaccurateBackward{}.solve(OnFailure::Throw, AutomaticLinearSolver{});
  ASSERT_TRUE(stats.backward);
  EXPECT_TRUE(stats.backward->status.empty());
  value.square().sum().backward();
  EXPECT_EQ(stats.backward->status.size(), 3u);
  EXPECT_TRUE(stats.backward->converged());
  EXPECT_FALSE(stats.backward->method.empty());
  EXPECT_GT(stats.backward->jacobian_products, 0);
  EXPECT_GT(stats.backward->mean_iterations() + static_cast<double>(stats.backward->evaluations), 0.0);
  EXPECT_NE(stats.full().find("backward"), std::string::npos);
}

TEST(Backward, ReportsTheTrueResidual) {
  const InaccurateBackward layer;
  const auto [value, stats] = layer.solve(OnFailure::Ignore);
  const Tensor g = normal({3, 6});
  const Tensor u = grad({value}, {layer.x}, {g})[0];  // the map adds x, so its gradient is the adjoint itself
  const Tensor slope = 1 - torch::tanh(value.detach().matmul(layer.a)).square();
  const Tensor residual = g + (u * slope).matmul(layer.a.t()) - u;
  EXPECT_TRUE(close(vector(stats.backward->residual), residual.norm(2, 1), 1e-12));
}

TEST(Backward, ThatIsInaccurateIsNeverSilent) {
  for (const LinearCandidate& candidate : linear_candidates()) {
    if (!candidate.limited) continue;
    SCOPED_TRACE(candidate.name);
    const LinearSolver solver = candidate.limited(1);
    const InaccurateBackward layer;
    const auto ignored = layer.solve(OnFailure::Ignore, solver);
    ignored.value.sum().backward();
    EXPECT_FALSE(ignored.stats.backward->converged());
    EXPECT_GT(ignored.stats.backward->max_residual(), 1e-3);

    const auto warned = layer.solve(OnFailure::Warn, solver);
    const WarningRecorder warnings;
    warned.value.sum().backward();
    EXPECT_EQ(warnings.messages().size(), 1u);

    const auto thrown = layer.solve(OnFailure::Throw, solver);
    expect_error([&] { thrown.value.sum().backward(); }, "not converged");
  }
}

TEST(Backward, OfTheBackwardPassIsReportedToo) {
  const InaccurateBackward layer;
  const auto [value, stats] = layer.solve(OnFailure::Throw, DenseLu{});
  const Tensor first = grad({value.pow(3).sum()}, {layer.x}, {}, true, true)[0];
  ASSERT_TRUE(stats.backward->backward);
  EXPECT_TRUE(stats.backward->backward->status.empty());
  grad({first.square().sum()}, {layer.x});
  EXPECT_EQ(stats.backward->backward->status.size(), 3u);
  EXPECT_TRUE(stats.backward->backward->converged());
}

TEST(Backward, IsReportedNowhereWhereNothingIsSolved) {
  const Tensor x = normal({2, 3}).requires_grad_();
  const Map f = [&](const Tensor& z) { return torch::tanh(0.5 * z + x); };
  EXPECT_FALSE(
      fixed_point(f, zeros({2, 3}), {.solver = Picard{}, .gradient = UnrolledGradient{}}).stats.backward);
  EXPECT_FALSE(fixed_point(f, zeros({2, 3}), {.gradient = PhantomGradient{}}).stats.backward);
}

TEST(Backward, OfAnAffineRotationNeedsMoreThanNeumann) {
  // The Jacobian has spectral radius 1, so the Neumann series does not converge: the automatic choice must.
  const double angle = M_PI / 3;
  const Tensor rotation =
      vector({std::cos(angle), -std::sin(angle), std::sin(angle), std::cos(angle)}).reshape({2, 2});
  const Tensor center = normal({4, 2}).requires_grad_();
  const auto [value, stats] = fixed_point([&](const Tensor& z) { return z.matmul(rotation) + center; },
                                          zeros({4, 2}), {.on_failure = OnFailure::Throw});
  const Tensor g = normal({4, 2});
  const Tensor expected = g.matmul(torch::inverse(torch::eye(2, options()) - rotation).t());
  EXPECT_TRUE(close(grad({value}, {center}, {g})[0], expected, 1e-9));
  EXPECT_TRUE(stats.backward->converged()) << stats.full();
}

TEST(Backward, OfSamplesThatMixIsRightWithTheAutomaticChoice) {
  // Each sample is pulled to the mean of the batch, by more than a Neumann series can follow.
  const Tensor x = normal({4, 3}).requires_grad_(), g = normal({4, 3});
  const Map f = [&](const Tensor& z) { return x - 1.5 * z.mean(0, true).expand({4, 3}) - 0.5 * z; };
  const auto [value, stats] =
      fixed_point(f, zeros({4, 3}), {.max_iterations = 2000, .on_failure = OnFailure::Throw});
  const Tensor reference_x = x.detach().clone().requires_grad_();
  const Tensor mean = reference_x.mean(0, true) / 3.0;  // m = x̄ − 2 m
  const Tensor reference = (reference_x - 1.5 * mean) / 1.5;
  EXPECT_TRUE(close(value, reference, 1e-9));
  EXPECT_TRUE(close(grad({value}, {x}, {g})[0], grad({reference}, {reference_x}, {g})[0], 1e-9));
  EXPECT_TRUE(stats.backward->converged()) << stats.full();
}

}  // namespace
}  // namespace stillpoint::test
