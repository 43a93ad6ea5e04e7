// How fast the solvers are, in iterations and in products, and what their options must be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "linear/candidates.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

std::int64_t most_iterations(const Stats& stats) {
  return *std::max_element(stats.iterations.begin(), stats.iterations.end());
}

// Symmetric matrices with these eigenvalues, each several times.
System with_eigenvalues(const std::vector<double>& values, std::int64_t times) {
  const auto width = static_cast<std::int64_t>(values.size()) * times;
  const Tensor q = std::get<0>(torch::linalg_qr(normal({2, width, width})));
  const Tensor matrix = q.matmul(vector(values).repeat(times).unsqueeze(1) * q.transpose(1, 2));
  return dense_system("eigenvalues", 0.5 * (matrix + matrix.transpose(1, 2)), normal({2, width}),
                      torch::kDouble);
}

TEST(Convergence, OfCgTakesAnIterationForEachEigenvalue) {
  for (const auto& values : std::vector<std::vector<double>>{{2.0}, {1.0, 3.0}, {1.0, 2.0, 5.0, 9.0}}) {
    const System system = with_eigenvalues(values, 3);
    const Stats stats = Cg{}.solve(system.a, system.b, {}, kTolerance).stats;
    EXPECT_TRUE(stats.converged());
    EXPECT_EQ(most_iterations(stats), static_cast<std::int64_t>(values.size()));
  }
}

TEST(Convergence, OfCgFollowsItsBound) {
  // ‖e_k‖_A ≤ 2 ((√κ − 1) / (√κ + 1))^k ‖e_0‖_A (Saad, equation 6.128)
  const System system = definite(torch::kDouble);
  const double rate = (std::sqrt(100.0) - 1.0) / (std::sqrt(100.0) + 1.0);
  const auto error = [&](const Tensor& x) {
    const Tensor e = x - system.solution;
    return (e * torch::bmm(system.matrix, e.unsqueeze(2)).squeeze(2)).sum(1).sqrt();
  };
  for (const std::int64_t k : {1, 2, 4, 6, 8}) {
    const Tensor x = Cg{.max_iterations = k}.solve(system.a, system.b, {}, kTolerance).value;
    EXPECT_LE((error(x) / error(torch::zeros_like(x))).max().item<double>(), 2.0 * std::pow(rate, k));
  }
}

TEST(Convergence, OfGmresTakesAtMostTheWidth) {
  for (const System& system : known_systems(torch::kDouble)) {
    const auto width = system.matrix.size(1);
    const Stats stats = Gmres{}.solve(system.a, system.b, {}, kTolerance).stats;
    EXPECT_TRUE(stats.converged()) << system.name << ": " << stats.full();
    EXPECT_LE(most_iterations(stats), width) << system.name;
  }
}

TEST(Convergence, OfGmresIsTheLeastResidualOfTheKrylovSpace) {
  const System system = grcar(torch::kDouble);
  const Tensor b = system.b.unsqueeze(2);
  std::vector<Tensor> powers{b};
  for (const std::int64_t k : {1, 2, 3, 5}) {
    while (static_cast<std::int64_t>(powers.size()) < k) powers.push_back(system.matrix.bmm(powers.back()));
    const Tensor images = system.matrix.bmm(torch::cat(powers, 2));  // [B, N, k]
    const Tensor q = std::get<0>(torch::linalg_qr(images));
    const Tensor least = norms_of(b - q.bmm(q.transpose(1, 2).bmm(b)));
    const Stats stats = Gmres{.max_iterations = k}.solve(system.a, system.b, {}, kTolerance).stats;
    EXPECT_TRUE(close(vector(stats.residual), least, 1e-10)) << k << " iterations";
  }
}

TEST(Convergence, OfBiCgStabIsThatOfAKrylovMethod) {
  for (const System& system : known_systems(torch::kDouble)) {
    if (system.name == "badly scaled rows") continue;  // rounding governs it
    const Stats stats = BiCgStab{}.solve(system.a, system.b, {}, kTolerance).stats;
    EXPECT_TRUE(stats.converged()) << system.name << ": " << stats.full();
    EXPECT_LE(most_iterations(stats), 2 * system.matrix.size(1)) << system.name;
  }
}

TEST(Convergence, OfNeumannHasTheSpectralRadiusAsItsRate) {
  for (const double radius : {0.5, 0.9, 0.99}) {
    const System system = contraction(radius, true, torch::kDouble);
    const auto residual_after = [&](std::int64_t iterations) {
      const Neumann solver{.max_iterations = iterations};
      return vector(solver.solve(system.a, system.b, {}, {.relative = 0.0, .absolute = 0.0}).stats.residual);
    };
    const Tensor rate = (residual_after(35) / residual_after(25)).pow(0.1);
    EXPECT_TRUE(close(rate, torch::full_like(rate, radius), 1e-4)) << rate;
  }
}

TEST(Cost, IsWhatTheHeadersSay) {
  const System system = definite(torch::kDouble);
  const std::int64_t width = system.matrix.size(1);
  const auto stats_of = [&](const LinearSolver& solver, const Tensor& x0 = {}) {
    return solver.solve(system.a, system.b, x0, kTolerance).stats;
  };
  const Tensor start = torch::ones_like(system.b);

  // One product an iteration, one for the true residual, one for that of a start.
  const Stats cg = stats_of(Cg{});
  EXPECT_EQ(cg.evaluations, most_iterations(cg) + 1);
  const Stats cg_from_start = stats_of(Cg{}, start);
  EXPECT_EQ(cg_from_start.evaluations, most_iterations(cg_from_start) + 2);

  const Stats bicgstab = stats_of(BiCgStab{});
  EXPECT_EQ(bicgstab.evaluations, 2 * most_iterations(bicgstab) + 1);

  const Stats gmres = stats_of(Gmres{});
  EXPECT_EQ(gmres.evaluations, most_iterations(gmres) + 1);
  const Stats restarted = Gmres{.restart = 2, .max_iterations = 8}
                              .solve(system.a, system.b, {}, {.relative = 0.0, .absolute = 0.0})
                              .stats;
  EXPECT_EQ(restarted.evaluations, 8 + 4);

  EXPECT_EQ(stats_of(DenseLu{}).evaluations, width + 2);

  const System contracting = contraction(0.9, true, torch::kDouble);
  const Stats neumann =
      Neumann{.max_iterations = 1000}.solve(contracting.a, contracting.b, {}, kTolerance).stats;
  EXPECT_EQ(neumann.evaluations, most_iterations(neumann) + 1);
}

TEST(BadOptions, AreRefusedByName) {
  const System system = contraction(0.5, true, torch::kDouble);
  const auto refused = [&](const LinearSolver& solver, const char* name) {
    expect_error([&] { solver.solve(system.a, system.b, {}, kTolerance); }, name);
    expect_error([&] { linear_solve(system.a, system.b, {.solver = solver}); }, name);
  };
  refused(Cg{.max_iterations = -1}, "Cg.max_iterations");
  refused(BiCgStab{.max_iterations = -1}, "BiCgStab.max_iterations");
  refused(Neumann{.max_iterations = -1}, "Neumann.max_iterations");
  refused(Gmres{.max_iterations = -1}, "Gmres.max_iterations");
  refused(Gmres{.restart = 0}, "Gmres.restart");
  refused(AutomaticLinearSolver{.patience = -1}, "AutomaticLinearSolver.patience");
  refused(AutomaticLinearSolver{.dense_width = -1}, "AutomaticLinearSolver.dense_width");
  for (const double bad : {-1.0, static_cast<double>(NAN)}) {
    expect_error([&] { linear_solve(system.a, system.b, {.tolerance = {.relative = bad}}); },
                 "tolerance.relative");
    expect_error([&] { linear_solve(system.a, system.b, {.tolerance = {.absolute = bad}}); },
                 "tolerance.absolute");
  }
}

TEST(Dense, IsTheMatrixOfTheProducts) {
  for (const System& system : known_systems(torch::kDouble)) {
    EXPECT_TRUE(close(to_dense(system.a, system.b), system.matrix, 1e-14)) << system.name;
  }
}

}  // namespace
}  // namespace stillpoint::test
