// Roots where the Jacobian is singular on the way, or at the root itself, though the system is consistent.
#include <gtest/gtest.h>

#include "equations/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

// Roots are written such that dz/dt = g(z) attracts, for solvers that follow it.
std::vector<RootCandidate> with_jacobians() {
  auto candidates = root_candidates();
  std::erase_if(candidates, [](const RootCandidate& each) { return !each.claims.by_matrix; });
  return candidates;
}

Solution<Tensor> attempt(const Map& g, const Tensor& z0, const RootSolver& solver, Tolerance tolerance = {}) {
  return root(g, z0, {.solver = solver, .tolerance = tolerance, .on_failure = OnFailure::Ignore});
}

// g = (1 − z₀, −relu(z₁)): where z₁ < 0 the second equation holds and does not depend on anything.
TEST(SingularJacobian, OfADeadUnitIsNoHindrance) {
  const Map g = [](const Tensor& z) { return torch::stack({1 - z.select(1, 0), -z.select(1, 1).relu()}, 1); };
  for (const RootCandidate& candidate : with_jacobians()) {
    SCOPED_TRACE(candidate.name);
    const auto [value, stats] = attempt(g, vector({5.0, -1.0}).view({1, 2}), candidate.solver);
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_LE(stats.iterations[0], candidate.claims.in_time ? 20 : 3);
    EXPECT_TRUE(close(value, vector({1.0, -1.0}).view({1, 2}), 1e-9));
  }
}

// The second equation is thrice the first plus (z₀ − 2)² − 1, whose slope is zero at the start. There the
// Jacobian is singular to rounding, the equations contradict each other, and LU's step is 1e16 long.
TEST(SingularJacobian, ToRoundingIsNoHindrance) {
  const auto equations = [](const Tensor& unit_of_z, double unit_of_g) -> Map {
    return [=](const Tensor& scaled) {
      const Tensor z = scaled * unit_of_z;
      const Tensor x = z.select(1, 0), y = z.select(1, 1);
      const Tensor first = 0.1 * x + 0.7 * y - 0.8;
      const Tensor second = 0.3 * x + 2.1 * y - 2.4 + (x - 2.0).square() - 1.0;
      return unit_of_g * torch::stack({first, second}, 1);
    };
  };
  const Tensor z0 = vector({2.0, 5.0}).view({1, 2});
  for (const RootCandidate& candidate : with_jacobians()) {
    SCOPED_TRACE(candidate.name);
    const Tensor one = torch::ones({2}, options()), units = vector({1e5, 1e-4});
    const auto plain = attempt(equations(one, 1.0), z0, candidate.solver);
    EXPECT_TRUE(plain.stats.converged()) << plain.stats.full();
    EXPECT_LE(plain.stats.iterations[0], 60);
    if (candidate.claims.in_time) continue;  // to other units belongs another flow
    // The norm of z is that of its second number here, 1e9 times the first.
    const auto scaled =
        attempt(equations(units, 1.0), z0 / units, candidate.solver, {.relative = 1e-16, .absolute = 0.0});
    EXPECT_TRUE(scaled.stats.converged()) << scaled.stats.full();
    EXPECT_TRUE(close(equations(one, 1.0)(scaled.value * units), zeros({1, 2}), 1e-6));
  }
}

TEST(SingularJacobian, LeavesItsNeighborsAsTheyAre) {
  const Tensor a = normal({3, 4, 4}) + 4.0 * torch::eye(4, options()), b = normal({3, 4});
  for (const RootCandidate& candidate : with_jacobians()) {
    SCOPED_TRACE(candidate.name);
    const auto together = [&](double middle) {
      Tensor matrix = a.clone();
      matrix[1].select(0, 2).mul_(middle);  // an equation that is always met, if the factor is zero
      const Tensor rhs = b.clone();
      rhs[1][2] *= middle;
      return attempt(
          [=](const Tensor& z) {
            return rhs - torch::bmm(matrix, z.unsqueeze(2)).squeeze(2) -
                   0.1 * matrix.abs().sum(2).sign() * z.pow(3);
          },
          zeros({3, 4}), candidate.solver);
    };
    const auto regular = together(1.0), singular = together(0.0);
    EXPECT_TRUE(singular.stats.converged()) << singular.stats.full();
    for (const int sample : {0, 2}) {
      EXPECT_TRUE(identical(singular.value[sample], regular.value[sample])) << sample;
      EXPECT_EQ(singular.stats.iterations[sample], regular.stats.iterations[sample]) << sample;
    }
  }
}

// At the start I / δ − ∂g/∂z is zero, for δ = 1.
TEST(SingularJacobian, OfAPseudoTransientStepIsNoHindrance) {
  const auto [value, stats] =
      attempt([](const Tensor& z) { return 0.5 + z - z.pow(3); }, zeros({1, 1}), PseudoTransient{});
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_NEAR(value.item<double>(), 1.1914878839, 1e-9);
}

}  // namespace
}  // namespace stillpoint::test
