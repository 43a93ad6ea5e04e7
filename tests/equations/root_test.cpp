// Roots: known answers, derivatives, what every root solver owes on the test systems, and bad input.
#include <gtest/gtest.h>

#include <cmath>

#include "equations/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/more_garbow_hillstrom.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

TEST(Root, OfASquareAndItsThreeDerivatives) {
  for (const RootCandidate& candidate : root_candidates()) {
    SCOPED_TRACE(candidate.name);
    const Tensor a = vector({0.25, 2.0, 9.0}).unsqueeze(1).requires_grad_();
    // Written such that dz/dt = g(z) attracts, for pseudo-transient continuation.
    const auto [z, stats] =
        root([&](const Tensor& x) { return a - x * x; }, torch::ones({3, 1}, options()),
             {.solver = candidate.solver, .tolerance = {.relative = 1e-14, .absolute = 1e-14}});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(z, a.sqrt(), 1e-13));
    const Tensor first = grad({z.sum()}, {a}, {}, true, true)[0];
    const Tensor second = grad({first.sum()}, {a}, {}, true, true)[0];
    const Tensor third = grad({second.sum()}, {a})[0];
    EXPECT_TRUE(close(first, 0.5 * a.pow(-0.5), 1e-12));
    EXPECT_TRUE(close(second, -0.25 * a.pow(-1.5), 1e-11));
    EXPECT_TRUE(close(third, 0.375 * a.pow(-2.5), 1e-10));
  }
}

// g(z) = A z + tanh z − b with A dominated by its diagonal: one root, and samples of several numbers.
struct Coupled {
  Tensor matrix = (4.0 * torch::eye(5, options()) + 0.5 * normal({5, 5})).requires_grad_();
  Tensor b = normal({3, 5}).requires_grad_();
  Tensor weights = normal({3, 5});

  Tensor g(const Tensor& z) const { return b - torch::matmul(z, matrix.t()) - z.tanh(); }
  Tensor loss(const RootSolver& solver) const {
    const auto z = root([this](const Tensor& x) { return g(x); }, zeros({3, 5}),
                        {.solver = solver, .tolerance = {.relative = 1e-14, .absolute = 1e-14}})
                       .value;
    return (weights * z).sum();
  }
};

TEST(Root, GradientsAgreeWithFiniteDifferences) {
  for (const RootCandidate& candidate : root_candidates()) {
    SCOPED_TRACE(candidate.name);
    const Coupled layer;
    const auto gradient = grad({layer.loss(candidate.solver)}, {layer.matrix, layer.b});
    const torch::NoGradGuard off;
    const double step = 1e-6;
    for (const auto& [input, slope] :
         {std::pair{layer.matrix, gradient[0]}, std::pair{layer.b, gradient[1]}}) {
      const Tensor direction = normal(input.sizes().vec());
      input.add_(direction, step);
      const double above = layer.loss(candidate.solver).item<double>();
      input.sub_(direction, 2 * step);
      const double below = layer.loss(candidate.solver).item<double>();
      input.add_(direction, step);
      EXPECT_NEAR((above - below) / (2 * step), (slope * direction).sum().item<double>(), 1e-7);
    }
  }
}

TEST(Root, SecondDerivativesDoNotDependOnTheSolver) {
  torch::manual_seed(1);
  const Coupled layer;
  const auto second = [&](const RootSolver& solver) {
    const auto first = grad({layer.loss(solver)}, {layer.matrix}, {}, true, true)[0];
    return grad({first.square().sum()}, {layer.matrix, layer.b});
  };
  const auto expected = second(Newton{});
  for (const RootCandidate& candidate : root_candidates()) {
    const auto actual = second(candidate.solver);
    EXPECT_TRUE(close(actual[0], expected[0], 1e-9)) << candidate.name;
    EXPECT_TRUE(close(actual[1], expected[1], 1e-9)) << candidate.name;
  }
}

TEST(Root, TakesAStateOfSeveralTensors) {
  const Tensor a = vector({3.0, 5.0}).requires_grad_();
  // x + y = a, x − 2 y = 0, sample by sample.
  const TupleMap g = [&](const std::vector<Tensor>& state) {
    return std::vector<Tensor>{state[0] + state[1] - a, state[0] - 2.0 * state[1]};
  };
  const auto [state, stats] = root(g, {zeros({2}), zeros({2})});
  EXPECT_TRUE(stats.converged());
  EXPECT_TRUE(close(state[0], a * 2 / 3, 1e-12));
  EXPECT_TRUE(close(state[1], a / 3, 1e-12));
  EXPECT_TRUE(close(grad({state[1].sum()}, {a})[0], torch::full({2}, 1.0 / 3.0, options()), 1e-12));
}

TEST(Root, IsWhatTheFixedPointOfItsStepIs) {
  const Problem problem = tanh_layer(at::kDouble);
  for (const RootCandidate& candidate : root_candidates()) {
    const auto [value, stats] =
        root([&](const Tensor& z) { return problem.f(z) - z; }, problem.z0, {.solver = candidate.solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(value, problem.solution, 1e-9)) << candidate.name;
  }
}

// As in MINPACK, a start of zeros becomes one of all `factor`.
Tensor start_of(const NonlinearSystem& system, double factor) {
  const bool at_zero = system.start.abs().max().item<double>() == 0.0;
  return factor != 1.0 && at_zero ? torch::full_like(system.start, factor) : factor * system.start;
}

// How far the nearest root can be at least, by the linear model: ‖g‖² / ‖Jᵀg‖.
double distance_at_least(const NonlinearSystem& system, const Tensor& z) {
  const torch::AutoGradMode on(true);
  const Tensor at_z = z.detach().requires_grad_();
  const Tensor g = system.residual(at_z);
  const double size = g.norm().item<double>();
  if (size == 0.0) return 0.0;
  return size / grad({g}, {at_z}, {g.detach() / size})[0].norm().item<double>();
}

TEST(RootSolvers, ClaimNoFalseSolution) {
  const torch::NoGradGuard off;
  for (const RootCandidate& candidate : root_candidates()) {
    for (const NonlinearSystem& system : more_garbow_hillstrom()) {
      for (const double factor : {1.0, 100.0}) {
        const auto [value, stats] =
            root(system.residual, start_of(system, factor),
                 {.solver = candidate.solver, .max_iterations = 40, .on_failure = OnFailure::Ignore});
        const double distance = distance_at_least(system, value);
        const double allowed = 1e-12 + 1e-10 * value.norm().item<double>();
        if (stats.converged()) {
          EXPECT_LE(distance, allowed * (1 + 1e-9))
              << candidate.name << ", " << system.name << ", " << factor;
        }
        const double residual = system.residual(value).norm().item<double>();
        EXPECT_NEAR(stats.residual[0], residual, 1e-9 * residual + 1e-15) << candidate.name << system.name;
      }
    }
  }
}

TEST(RootSolvers, SolveTheTestSystemsFromTheStandardStarts) {
  const torch::NoGradGuard off;
  // Chebyquad 8 has no root, and none of them solves all of the other 19.
  for (const RootCandidate& candidate : root_candidates()) {
    if (candidate.claims.systems == 0) continue;
    int solved = 0;
    for (const NonlinearSystem& system : more_garbow_hillstrom()) {
      const auto stats =
          root(system.residual, system.start,
               {.solver = candidate.solver, .max_iterations = 300, .on_failure = OnFailure::Ignore})
              .stats;
      if (system.name == "Chebyquad 8") {
        EXPECT_FALSE(stats.converged()) << candidate.name;
      }
      solved += stats.converged() ? 1 : 0;
    }
    EXPECT_GE(solved, candidate.claims.systems) << candidate.name;
  }
}

// By the errors ‖z_k − z*‖ when k iterations are allowed.
TEST(RootSolvers, ConvergeWithTheirOrder) {
  const Problem problem = tanh_layer(at::kDouble);
  const auto errors = [&](const RootSolver& solver) {
    std::vector<double> result;
    for (int k = 0; k < 30; ++k) {
      const torch::NoGradGuard off;
      const auto value = root([&](const Tensor& z) { return problem.f(z) - z; }, problem.z0,
                              {.solver = solver,
                               .tolerance = {.relative = 0.0, .absolute = 0.0},
                               .max_iterations = k,
                               .on_failure = OnFailure::Ignore})
                             .value;
      result.push_back((value - problem.solution).norm().item<double>());
    }
    return result;
  };
  const auto steps_between = [](const std::vector<double>& e, double from, double to) {
    return std::ranges::count_if(e, [&](double error) { return error < from && error > to; });
  };
  // Quadratic: an error of 1e-3 is followed by one of 1e-6 and one of 1e-12.
  EXPECT_LE(steps_between(errors(Newton{}), 1e-3, 1e-12), 2);
  EXPECT_LE(steps_between(errors(Dogleg{}), 1e-3, 1e-12), 2);
  // Superlinear: faster in the second half of the digits than in the first. Linear: as fast.
  const auto newton_krylov = errors(NewtonKrylov{});
  EXPECT_LE(steps_between(newton_krylov, 1e-6, 1e-12), steps_between(newton_krylov, 1.0, 1e-6));
  EXPECT_LE(steps_between(newton_krylov, 1e-3, 1e-12), 4);
  const auto chord = errors(Chord{.refresh_above = 0.9});
  EXPECT_GT(steps_between(chord, 1e-3, 1e-12), 3);
}

TEST(PseudoTransient, GoesToTheEquilibriumThatAttracts) {
  // dz/dt = z − z³ leaves 0 and goes to ±1; Newton's method goes to the root that is near.
  const Map g = [](const Tensor& z) { return z - z.pow(3); };
  const Tensor start = vector({0.1, -0.1}).unsqueeze(1);
  EXPECT_TRUE(close(root(g, start, {.solver = PseudoTransient{}}).value, start.sign(), 1e-9));
  EXPECT_TRUE(close(root(g, start, {.solver = Newton{}}).value, zeros({2, 1}), 1e-9));
}

TEST(Root, RefusesWhatItCannotUse) {
  const Tensor z0 = zeros({2, 3});
  expect_error([&] { root(Map(), z0); }, "g: expected a map");
  expect_error([&] { root([](const Tensor& z) { return z.sum(); }, z0); }, "g: expected shape");
  expect_error([&] { root([](const Tensor& z) { return z; }, zeros({})); }, "z0: expected a tensor");
  expect_error([&] { root([](const Tensor& z) { return z; }, z0, {.gradient = PhantomGradient{}}); },
               "PhantomGradient");
  expect_error([&] { root([](const Tensor& z) { return z; }, z0, {.gradient = UnrolledGradient{}}); },
               "UnrolledGradient");
}

}  // namespace
}  // namespace stillpoint::test
