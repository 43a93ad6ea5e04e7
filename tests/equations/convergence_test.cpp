// Known numbers: rates and orders of convergence, published counts, what Anderson promises beside Picard.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "core/rows/rows.h"
#include "equations/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

double to_double(const Tensor& t) { return t.item<double>(); }

// ‖z_k − z*‖ for k = 0 … steps: the error of what comes back when k iterations are allowed.
std::vector<double> errors(const FixedPointSolver& solver, const Problem& problem, int steps) {
  std::vector<double> result;
  for (int k = 0; k <= steps; ++k) {
    const auto value = fixed_point(problem.f, problem.z0,
                                   {.solver = solver,
                                    .tolerance = {.relative = 0.0, .absolute = 0.0},
                                    .max_iterations = k,
                                    .on_failure = OnFailure::Ignore})
                           .value;
    result.push_back(to_double((value - problem.solution).norm()));
  }
  return result;
}

Problem one_cosine() {
  Problem problem = cosine(at::kDouble);
  problem.z0 = problem.z0.narrow(0, 0, 1);
  problem.solution = problem.solution.narrow(0, 0, 1);
  return problem;
}

TEST(Convergence, OfPicardIsLinearWithTheSlopeOfTheMap) {
  const auto e = errors(Picard{}, one_cosine(), 30);
  const double rate = std::sin(0.739085133215161);
  for (int k = 15; k < 30; ++k) EXPECT_NEAR(e[k + 1] / e[k], rate, 1e-2) << k;
  EXPECT_NEAR(e[30] / e[29], rate, 1e-4);
}

TEST(Convergence, OfDampedPicardHasTheDampedRate) {
  const auto e = errors(Picard{.damping = 0.25}, affine(0.9, true, at::kDouble), 120);
  EXPECT_NEAR(e[120] / e[119], 0.75 + 0.25 * 0.9, 1e-4);
}

TEST(Convergence, OfNewtonIsQuadratic) {
  for (const Problem& problem : {one_cosine(), kepler(at::kDouble), tanh_layer(at::kDouble)}) {
    const auto e = errors(Newton{}, problem, 6);
    int observed = 0;
    for (int k = 1; k + 1 < 7; ++k) {
      if (e[k] > 0.1 || e[k + 1] < 1e-13) continue;
      // Order p from three errors: log(e₂/e₁) / log(e₁/e₀).
      EXPECT_GT(std::log(e[k + 1] / e[k]) / std::log(e[k] / e[k - 1]), 1.6) << problem.name << ", step " << k;
      ++observed;
    }
    EXPECT_GE(observed, 1) << problem.name;
    EXPECT_LT(e[6], 1e-12) << problem.name;
  }
}

TEST(Convergence, OfNewtonOnAnAffineMapTakesOneStep) {
  for (const double radius : {0.5, 0.9, 0.99}) {
    const Problem problem = affine(radius, false, at::kDouble);
    const auto stats =
        fixed_point(problem.f, problem.z0, {.solver = Newton{}, .tolerance = {.relative = 1e-9}}).stats;
    EXPECT_EQ(stats.iterations, (std::vector<std::int64_t>{1, 1, 1}));
  }
}

// Where the slope is just above 1 a Newton step overshoots; halved, it still heads for another fixed point.
TEST(Convergence, OfNewtonIsToTheFixedPointThatPicardFindsWhenAStepOvershoots) {
  const auto f = [](const Tensor& z) { return (3.0 * z + 0.1).tanh(); };
  const auto z0 = torch::full({1, 1}, 0.339, options());
  const auto newton = fixed_point(f, z0, {.solver = Newton{}});
  const auto picard = fixed_point(f, z0, {.solver = Picard{}});
  EXPECT_TRUE(newton.stats.converged());
  EXPECT_NEAR(newton.value.item<double>(), picard.value.item<double>(), 1e-9);
}

TEST(Convergence, OfAndersonOnAnAffineMapEndsWithTheDimension) {
  // With memory for all of its evaluations it is GMRES, which ends after as many steps as there are
  // dimensions.
  const Problem problem = affine(0.9, false, at::kDouble);
  const auto stats =
      fixed_point(problem.f, problem.z0, {.solver = Anderson{.memory = 16}, .tolerance = {.relative = 1e-7}})
          .stats;
  for (const auto iterations : stats.iterations) EXPECT_LE(iterations, 12);
}

// Gay 1979, with memory for all updates: on any affine map, also one that repels, and though the residual
// grows by up to 5e4 times (width 8) or 1e10 times (32) on the way. What rounding costs then takes a few
// steps more.
TEST(Convergence, OfBroydenOnAnAffineMapEndsWithTwiceTheDimension) {
  for (const std::int64_t width : {4, 8, 16, 32}) {
    const Tensor a = normal({100, width, width}), b = normal({100, width});
    const Map f = [&](const Tensor& z) { return torch::bmm(a, z.unsqueeze(2)).squeeze(2) + b; };
    for (const bool aten : {false, true}) {
      std::optional<detail::AtenPathGuard> guard;
      if (aten) guard.emplace();
      const auto stats =
          fixed_point(f, zeros({100, width}),
                      {.solver = Broyden{.memory = 2 * width + 8}, .on_failure = OnFailure::Ignore})
              .stats;
      EXPECT_TRUE(stats.converged()) << stats.full();
      for (const auto iterations : stats.iterations) EXPECT_LE(iterations, 2 * width + width / 4) << width;
      EXPECT_LE(stats.mean_iterations(), 2.0 * width);
    }
  }
}

// x + x³ / 10 coupled by a random matrix: the steps do run away here.
TEST(Convergence, OfBroydenComesBackFromStepsThatRunAway) {
  const Tensor a = 0.7 * normal({100, 8, 8}), b = normal({100, 8});
  const Map f = [&](const Tensor& z) {
    return torch::bmm(a, (z + 0.1 * z.pow(3)).unsqueeze(2)).squeeze(2) + b;
  };
  for (const bool aten : {false, true}) {
    std::optional<detail::AtenPathGuard> guard;
    if (aten) guard.emplace();
    const auto [value, stats] =
        fixed_point(f, zeros({100, 8}), {.solver = Broyden{}, .on_failure = OnFailure::Ignore});
    EXPECT_GE(stats.count(Status::Converged), 70) << stats.brief();
    EXPECT_EQ(stats.count(Status::NonFinite), 0);
    EXPECT_TRUE(close(vector(stats.residual), (f(value) - value).norm(2, 1), 1e-9));
  }
}

TEST(Convergence, OfBroydenSurvivesAResidualThatGrowsOnTheWay) {
  const std::int64_t width = 100, batch = 100;
  const Tensor w = 0.97 * std::get<0>(torch::linalg_qr(normal({width, width}, at::kFloat)));
  const Tensor x = 0.1 * normal({batch, width}, at::kFloat);
  const auto stats = fixed_point([&](const Tensor& z) { return torch::tanh(x + z.matmul(w)); },
                                 zeros({batch, width}, at::kFloat),
                                 {.solver = Broyden{.memory = 300}, .max_iterations = 2 * width})
                         .stats;
  EXPECT_TRUE(stats.converged()) << stats.full();
}

TEST(KnownAnswers, TheDottieNumber) {
  for (const SolverCandidate& candidate : solver_candidates()) {
    const auto value =
        fixed_point([](const Tensor& z) { return z.cos(); }, zeros({1, 1}), {.solver = candidate.solver})
            .value;
    EXPECT_NEAR(to_double(value), 0.739085133215161, 1e-10) << candidate.name;
  }
}

TEST(KnownAnswers, KeplersEquationFromTheBook) {
  // Meeus, example 30.a: e = 0.1, M = 5°, E = 5.554589°.
  const double degree = M_PI / 180;
  const auto f = [&](const Tensor& z) { return 5 * degree + 0.1 * z.sin(); };
  EXPECT_NEAR(to_double(fixed_point(f, zeros({1, 1})).value) / degree, 5.554589, 5e-7);
}

TEST(KnownAnswers, PicardGoesRoundInCirclesOnRotations) {
  const Problem problem = rotations(at::kDouble);
  const FixedPointOptions picard{.solver = Picard{}, .max_iterations = 1000, .on_failure = OnFailure::Ignore};
  EXPECT_EQ(fixed_point(problem.f, problem.z0, picard).stats.count(Status::Stalled), 5);
  EXPECT_TRUE(fixed_point(problem.f, problem.z0, {.solver = Anderson{}}).stats.converged());
}

TEST(KnownAnswers, ScalingHasTheZeroSolutionAndTheZeroGradient) {
  const Tensor theta = vector({0.05, 0.2}).requires_grad_();
  const auto value =
      fixed_point([&](const Tensor& z) { return theta * z; }, torch::ones({1, 2}, options())).value;
  EXPECT_TRUE(close(value, zeros({1, 2}), 1e-11));
  EXPECT_TRUE(close(torch::autograd::grad({value.sum()}, {theta})[0], zeros({2}), 1e-11));
}

TEST(KnownAnswers, AffineMapsHaveTheDenseSolutionAndItsGradients) {
  for (const double radius : {0.5, 0.9, 0.99}) {
    for (const bool normal_matrix : {true, false}) {
      const Tensor a = affine_matrix(10, radius, normal_matrix).to(options()).requires_grad_();
      const Tensor b = normal({3, 10}).requires_grad_(), g = normal({3, 10});
      const Tensor dense = torch::linalg_solve(torch::eye(10, options()) - a, b.t()).t();
      const auto expected = torch::autograd::grad({dense}, {a, b}, {g});
      const auto value = fixed_point([&](const Tensor& z) { return z.matmul(a.t()) + b; }, zeros({3, 10}),
                                     {.tolerance = {.relative = 1e-12}, .max_iterations = 2000})
                             .value;
      const auto actual = torch::autograd::grad({value}, {a, b}, {g});
      EXPECT_TRUE(close(value, dense, 1e-9)) << radius;
      EXPECT_TRUE(close(actual[0], expected[0], 1e-9)) << radius;
      EXPECT_TRUE(close(actual[1], expected[1], 1e-9)) << radius;
    }
  }
}

// A 50-wide tanh layer with the default initialization on 10 normal rows, until the norm over the whole batch
// is below 1e-4: about 14 iterations of Picard and 3 of Newton are published.
TEST(KnownAnswers, PublishedIterationsOfTheTanhLayer) {
  const auto iterations = [](const FixedPointSolver& solver) {
    const Problem problem = tanh_layer(at::kFloat);
    for (int allowed = 1;; ++allowed) {
      const torch::NoGradGuard off;
      const auto z = fixed_point(problem.f, problem.z0,
                                 {.solver = solver,
                                  .tolerance = {.relative = 0.0, .absolute = 0.0},
                                  .max_iterations = allowed,
                                  .on_failure = OnFailure::Ignore})
                         .value;
      if (to_double((problem.f(z) - z).norm()) < 1e-4) return allowed;
    }
  };
  for (int draw = 0; draw < 3; ++draw) {
    EXPECT_NEAR(iterations(Picard{}), 14, 3);
    EXPECT_NEAR(iterations(Newton{}), 3, 1);
  }
}

}  // namespace
}  // namespace stillpoint::test
