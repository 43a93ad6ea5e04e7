// That a solve which is stuck ends early, sample by sample, and one that gets on does not.
#include <gtest/gtest.h>

#include <memory>

#include "core/rows/rows.h"
#include "linear/candidates.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

class Stagnation : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) aten_ = std::make_unique<detail::AtenPathGuard>();
  }

 private:
  torch::NoGradGuard no_grad_;
  std::unique_ptr<detail::AtenPathGuard> aten_;
};

// Diagonal matrices with numbers from 1 to 3, but for one row of sample 1, which is zero.
System singular_in_one(std::int64_t batch, std::int64_t width) {
  Tensor diagonal = torch::linspace(1.0, 3.0, width, options()).repeat({batch, 1});
  diagonal[1][width / 2] = 0.0;
  System system;
  system.b = normal({batch, width});
  system.solution = system.b / diagonal;
  system.a.product = [=](const Tensor& v) { return diagonal * v; };
  return system;
}

TEST_P(Stagnation, EndsGmresAfterTwoCycles) {
  const System system = singular_in_one(4, 120);
  const auto [value, stats] = Gmres{}.solve(system.a, system.b, {}, kTolerance);
  EXPECT_EQ(stats.status[1], Status::Stalled) << stats.full();
  EXPECT_LE(stats.iterations[1], 90);
  EXPECT_LE(stats.evaluations, 93);
  EXPECT_GE(stats.residual[1], std::abs(system.b[1][60].item<double>()) * 0.999);
  for (const std::int64_t i : {0, 2, 3}) {
    EXPECT_EQ(stats.status[i], Status::Converged) << stats.full();
    EXPECT_TRUE(close(value[i], system.solution[i], 1e-8));
  }
  const auto alone = Gmres{}.solve({.product =
                                        [&](const Tensor& v) {
                                          return system.a.product(v.expand({4, -1})).narrow(0, 0, 1);
                                        }},
                                   system.b.narrow(0, 0, 1), {}, kTolerance);
  EXPECT_TRUE(identical(value[0], alone.value[0]));
}

TEST_P(Stagnation, EndsTheOtherKrylovMethods) {
  const System system = singular_in_one(3, 6);
  for (const LinearSolver& solver : {LinearSolver(Cg{}), LinearSolver(BiCgStab{})}) {
    const auto [value, stats] = solver.solve(system.a, system.b, {}, kTolerance);
    // The steps of conjugate gradients grow without bound there.
    EXPECT_TRUE(stats.status[1] == Status::Stalled || stats.status[1] == Status::NonFinite) << stats.full();
    EXPECT_LE(stats.iterations[1], 60);
    for (const std::int64_t i : {0, 2}) {
      EXPECT_EQ(stats.status[i], Status::Converged) << stats.full();
      EXPECT_TRUE(close(value[i], system.solution[i], 1e-8));
    }
  }
}

TEST_P(Stagnation, AtRoundingIsOneToo) {
  const System system = definite(torch::kDouble);
  const Stats stats = Gmres{}.solve(system.a, system.b, {}, {.relative = 0.0, .absolute = 0.0}).stats;
  EXPECT_LE(stats.evaluations, 150);
  EXPECT_LE(stats.max_residual(), 1e-13);
  EXPECT_EQ(stats.count(Status::Converged) + stats.count(Status::Stalled), 3) << stats.full();
}

// Cycles that take a twentieth off the residual need hundreds, and are given them.
TEST_P(Stagnation, IsNotWhatIsSlow) {
  const Tensor diagonal = torch::logspace(-2.0, 0.0, 200, 10.0, options()).expand({2, 200});
  const LinearOperator a{.product = [=](const Tensor& v) { return diagonal * v; }};
  const Tensor b = normal({2, 200});
  for (const std::int64_t restart : {1, 2, 5}) {
    const Stats stats =
        Gmres{.restart = restart, .max_iterations = 20'000}.solve(a, b, {}, {1e-6, 0.0}).stats;
    EXPECT_TRUE(stats.converged()) << restart << stats.full();
    EXPECT_GT(stats.mean_iterations(), 60.0);
  }
}

// The residual of the conjugate gradients for a chain stays where it is until they have been along half of
// it.
TEST_P(Stagnation, IsNotThePlateauOfConjugateGradients) {
  constexpr std::int64_t width = 160;
  const Tensor ones = torch::ones({width}, options());
  const Tensor matrix = 2.0 * torch::diag(ones) - torch::diag(ones.narrow(0, 1, width - 1), 1) -
                        torch::diag(ones.narrow(0, 1, width - 1), -1);
  const LinearOperator a{.product = [=](const Tensor& v) { return v.matmul(matrix); },
                         .structure = Structure::PositiveDefinite};
  Tensor b = zeros({1, width});
  b[0][0] = 1.0;
  for (const LinearSolver& solver : {LinearSolver(Cg{}), LinearSolver(BiCgStab{.max_iterations = 1000}),
                                     LinearSolver(Gmres{.restart = 160})}) {
    const Stats stats = solver.solve(a, b, {}, kTolerance).stats;
    EXPECT_TRUE(stats.converged()) << stats.full();
  }
}

// Equations W z = c, of which one has a W with a row and a column of zeros, and no solution. (With an
// eigenvalue that is zero up to rounding it would have one, of size 1e16.)
TEST(StagnationOfOne, DoesNotCostNewtonKrylovItsBatch) {
  constexpr std::int64_t batch = 100, width = 40, steps = 20;
  const Tensor q = std::get<0>(torch::linalg_qr(normal({width - 1, width - 1})));
  const Tensor values = torch::linspace(1.0, 3.0, width - 1, options());
  Tensor matrix = torch::eye(width, options()).repeat({batch, 1, 1});
  matrix.narrow(1, 1, width - 1).narrow(2, 1, width - 1).copy_(q.matmul(values.unsqueeze(1) * q.t()));
  matrix[7][0][0] = 0.0;
  const Tensor c = normal({batch, width});
  const auto [z, stats] =
      root([&](const Tensor& y) { return torch::bmm(matrix, y.unsqueeze(2)).squeeze(2) - c; },
           torch::zeros_like(c),
           {.solver = NewtonKrylov{}, .max_iterations = steps, .on_failure = OnFailure::Ignore});
  EXPECT_EQ(stats.count(Status::Converged), batch - 1) << stats.full();
  EXPECT_NE(stats.status[7], Status::Converged);
  // Newton's step of all is looked at once or twice, where the others are nearly solved; the slope of the
  // slow sample, a product, also at the start, once its patience of 1, 2, 4, 8 steps is over, and at the end.
  EXPECT_LE(stats.jacobian_products, steps * 65) << stats.full();
}

INSTANTIATE_TEST_SUITE_P(Paths, Stagnation, testing::Bool(), [](const auto& path) {
  return path.param ? std::string("Aten") : std::string("Fused");
});

}  // namespace
}  // namespace stillpoint::test
