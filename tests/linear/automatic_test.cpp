// The automatic choice, branch by branch.
#include <gtest/gtest.h>

#include <algorithm>

#include "linear/candidates.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

Solution<Tensor> solve(const System& system, const AutomaticLinearSolver& solver = {}) {
  return solver.solve(system.a, system.b, {}, kTolerance);
}

// z ↦ z − M z for a matrix M `[B, B]` that acts on the batch.
System mixing(const Tensor& matrix, const Tensor& b) {
  const std::int64_t batch = b.size(0), width = b.size(1);
  System system;
  system.name = "mixing";
  system.a = {.product = [=](const Tensor& v) { return matrix.matmul(v); }, .identity_minus = true};
  system.b = b;
  system.solution = torch::linalg_solve(torch::eye(batch, options()) - matrix, b);
  system.matrix = torch::eye(width, options()).expand({batch, width, width});
  return system;
}

TEST(Automatic, IsNeumannWhereThatSuffices) {
  const System system = contraction(0.5, false, torch::kDouble);
  const auto [value, stats] = solve(system);
  EXPECT_EQ(stats.method, "Neumann");
  EXPECT_TRUE(close(value, system.solution, 1e-9));
  EXPECT_TRUE(identical(value, Neumann{}.solve(system.a, system.b, {}, kTolerance).value));
}

TEST(Automatic, IsCgByStructure) {
  const System system = definite(torch::kDouble);
  const auto [value, stats] = solve(system);
  EXPECT_EQ(stats.method, "Cg");
  EXPECT_TRUE(close(value, system.solution, 1e-8));
}

// Of a definite matrix of either sign, and of one with eigenvalues of both.
TEST(Automatic, BeginsWithCgIfSymmetric) {
  for (const double shift : {0.0, -20.0, -3.0}) {
    const System plain = definite(torch::kDouble);
    const Tensor matrix = plain.matrix + shift * torch::eye(10, options());
    System system = dense_system("symmetric", matrix, plain.b, torch::kDouble);
    system.a.structure = Structure::Symmetric;
    for (const AutomaticLinearSolver& solver : {AutomaticLinearSolver{}, AutomaticLinearSolver{.patience = 3},
                                                AutomaticLinearSolver{.dense_width = 0}}) {
      const auto [value, stats] = solve(system, solver);
      EXPECT_TRUE(stats.converged()) << stats.full();
      EXPECT_EQ(stats.method.substr(0, 2), "Cg");
      if (shift != -3.0 && solver.patience > 3) {
        EXPECT_EQ(stats.method, "Cg");
      }
      EXPECT_TRUE(close(value, system.solution, 1e-7)) << shift;
    }
  }
}

TEST(Automatic, NoticesThatAnOperatorIsNotSymmetric) {
  System system = grcar(torch::kDouble);
  system.a.structure = Structure::Symmetric;
  const auto [value, stats] = solve(system);
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_TRUE(close(value, system.solution, 1e-8));
}

TEST(Automatic, FactorizesNarrowSamples) {
  for (const System& system : {contraction(0.99, false, torch::kDouble), grcar(torch::kDouble)}) {
    const auto [value, stats] = solve(system);
    EXPECT_EQ(stats.method, "Neumann, then DenseLu") << system.name;
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(value, system.solution, 1e-9));
    // The forecast gives up early: a few steps, not the patience.
    EXPECT_LE(stats.evaluations, 10 + system.matrix.size(1) + 3);
  }
}

TEST(Automatic, GoesOnWithGmresForWideSamples) {
  const System system = contraction(0.99, false, torch::kDouble);
  const auto [value, stats] = solve(system, {.dense_width = system.b.size(1) - 1});
  EXPECT_EQ(stats.method, "Neumann, then Gmres");
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_TRUE(close(value, system.solution, 1e-7));
  EXPECT_EQ(solve(system, {.dense_width = system.b.size(1)}).stats.method, "Neumann, then DenseLu");
}

TEST(Automatic, KeepsToItsPatience) {
  const System system = contraction(0.8, true, torch::kDouble);  // about 100 steps
  for (const std::int64_t patience : {0, 1, 30}) {
    const Stats stats = solve(system, {.patience = patience}).stats;
    EXPECT_EQ(stats.method, "Neumann, then DenseLu");
    EXPECT_LE(stats.evaluations, patience + 1 + system.b.size(1) + 3);
  }
  EXPECT_EQ(solve(system, {.patience = 150}).stats.method, "Neumann");
}

TEST(Automatic, KeepsWhatIsSolvedAlready) {
  const Tensor matrices =
      torch::stack({torch::eye(8, options()),  // solved at once: P = 0
                    torch::eye(8, options()) - affine_matrix(8, 0.99, true).to(options())});
  const System system = dense_system("fast and slow", matrices, normal({2, 8}), torch::kDouble, true);
  const auto [value, stats] = solve(system);
  EXPECT_EQ(stats.method, "Neumann, then DenseLu");
  EXPECT_TRUE(stats.converged());
  EXPECT_TRUE(identical(value[0], system.b[0]));
  EXPECT_EQ(stats.iterations[0], 0);
  EXPECT_GT(stats.iterations[1], 1);
}

TEST(Automatic, SolvesTheWholeBatchWhereSamplesMix) {
  const Tensor all_to_all = normal({5, 5}), b = normal({5, 3});
  // Each sample hears from its neighbor alone, in one direction.
  const Tensor chain = 1.5 * torch::diag(torch::ones({4}, options()), 1);
  for (const Tensor& matrix : {all_to_all, chain}) {
    const System system = mixing(matrix, b);
    for (const AutomaticLinearSolver& solver :
         {AutomaticLinearSolver{}, AutomaticLinearSolver{.patience = 2, .dense_width = 0}}) {
      const auto [value, stats] = solve(system, solver);
      EXPECT_TRUE(stats.converged()) << stats.full();
      EXPECT_NE(stats.method.find("whole batch"), std::string::npos) << stats.method;
      EXPECT_TRUE(close(value, system.solution, 1e-8));
      EXPECT_TRUE(close(vector(stats.residual), norms_of(b - system.a.mv(value)), 1e-14));
    }
  }
}

TEST(Automatic, IsNeumannWhereSamplesMixALittle) {
  const System system = mixing(torch::full({5, 5}, 0.1, options()), normal({5, 3}));
  const auto [value, stats] = solve(system);
  EXPECT_EQ(stats.method, "Neumann");
  EXPECT_TRUE(close(value, system.solution, 1e-9));
}

TEST(Automatic, DoesNotJudgeTheBatchByOneSampleThatCannotBeSolved) {
  Tensor matrices = torch::eye(4, options()).repeat({3, 1, 1}) + 3.0 * normal({3, 4, 4});
  matrices[1][2].zero_();
  const Tensor scale = vector({1e6, 1.0, 1e-6}).unsqueeze(1);
  const Tensor b = scale * normal({3, 4});
  LinearOperator a{
      .product = [=](const Tensor& v) { return torch::bmm(matrices, v.unsqueeze(2)).squeeze(2); }};
  for (const AutomaticLinearSolver& solver :
       {AutomaticLinearSolver{}, AutomaticLinearSolver{.patience = 2, .dense_width = 0}}) {
    const auto [value, stats] = solver.solve(a, b, {}, kTolerance);
    EXPECT_EQ(stats.method.find("whole batch"), std::string::npos) << stats.method;
    EXPECT_EQ(stats.count(Status::Converged), 2) << stats.full();
    EXPECT_NE(stats.status[1], Status::Converged);
    for (const std::int64_t i : {0, 2}) {
      EXPECT_TRUE(close(value[i] / scale[i], torch::linalg_solve(matrices[i], b[i]) / scale[i], 1e-7));
    }
  }
}

}  // namespace
}  // namespace stillpoint::test
