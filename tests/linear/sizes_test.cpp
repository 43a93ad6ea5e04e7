// Right-hand sides, gradients and operators of sizes whose squares underflow or overflow; and that nothing
// passes as solved which is not finite.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/rows/rows.h"
#include "linear/candidates.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

class Sizes : public testing::TestWithParam<std::tuple<torch::Dtype, bool>> {
 protected:
  void SetUp() override {
    if (std::get<bool>(GetParam())) aten_ = std::make_unique<detail::AtenPathGuard>();
  }
  torch::Dtype dtype() const { return std::get<torch::Dtype>(GetParam()); }
  bool is_double() const { return dtype() == torch::kDouble; }
  ResolvedTolerance tolerance() const { return Tolerance{.relative = {}, .absolute = 0.0}.resolved(dtype()); }
  std::vector<double> extremes() const {
    if (is_double()) return {1e-290, 1e-170, 1e-100, 1e100, 1e170, 1e290};
    return {1e-33, 1e-25, 1e-15, 1e15, 1e25, 1e33};
  }
  double accuracy() const { return is_double() ? 1e-8 : 1e-3; }

 private:
  std::unique_ptr<detail::AtenPathGuard> aten_;
};

std::vector<LinearCandidate> library_solvers() {
  std::vector<LinearCandidate> result = linear_candidates();
  std::erase_if(result, [](const LinearCandidate& each) { return !each.of_the_library; });
  return result;
}

TEST_P(Sizes, OfTheRightHandSideDoNotMatter) {
  const torch::NoGradGuard no_grad;
  for (const System& system : {contraction(0.6, true, dtype()), definite(dtype())}) {
    for (const LinearCandidate& candidate : library_solvers()) {
      if (!candidate.solves(system)) continue;
      const auto usual = candidate.solver.solve(system.a, system.b, {}, tolerance());
      for (const double size : extremes()) {
        SCOPED_TRACE(candidate.name + " on " + system.name + " of size " + std::to_string(std::log10(size)));
        const auto [value, stats] = candidate.solver.solve(system.a, system.b * size, {}, tolerance());
        EXPECT_TRUE(stats.converged()) << stats.full();
        const Tensor back = value.to(torch::kDouble) / size;
        EXPECT_TRUE(close(back, system.solution, accuracy()));
        const Tensor residual =
            norms_of(system.b.to(torch::kDouble) - torch::bmm(system.matrix, back.unsqueeze(2)).squeeze(2));
        EXPECT_TRUE(close(vector(stats.residual) / size, residual, is_double() ? 1e-13 : 2e-5));
        for (std::size_t i = 0; i < stats.iterations.size(); ++i) {
          EXPECT_LE(stats.iterations[i], 1.2 * usual.stats.iterations[i] + 1);
        }
      }
    }
  }
}

TEST_P(Sizes, MayDifferFromSampleToSample) {
  const torch::NoGradGuard no_grad;
  System system = contraction(0.6, true, dtype());
  const Tensor size = vector({extremes()[1], 1.0, extremes()[4]}, dtype()).unsqueeze(1);
  for (const LinearCandidate& candidate : library_solvers()) {
    if (!candidate.solves(system)) continue;
    SCOPED_TRACE(candidate.name);
    const auto [value, stats] = candidate.solver.solve(system.a, system.b * size, {}, tolerance());
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(value.to(torch::kDouble) / size, system.solution, accuracy()));
    const auto alone = candidate.solver.solve(system.a, system.b, {}, tolerance());
    if (candidate.samples_apart) {
      EXPECT_TRUE(identical(value[1], alone.value[1]));
    }
  }
}

TEST_P(Sizes, OfTheOperatorDoNotMatterToGmresAndDenseLu) {
  const torch::NoGradGuard no_grad;
  for (const LinearSolver& solver : {LinearSolver(Gmres{}), LinearSolver(Gmres{.restart = 6}),
                                     LinearSolver(DenseLu{}), LinearSolver(AutomaticLinearSolver{})}) {
    for (const double size : extremes()) {
      const System system = definite(dtype());
      LinearOperator a{.product = [&](const Tensor& v) { return system.a.product(v) * size; }};
      const auto [value, stats] = solver.solve(a, system.b, {}, tolerance());
      EXPECT_TRUE(stats.converged()) << size << stats.full();
      EXPECT_TRUE(close(value.to(torch::kDouble) * size, system.solution, accuracy())) << size;
    }
  }
}

TEST_P(Sizes, ThatHaveNoFiniteSolutionAreNotSolved) {
  const torch::NoGradGuard no_grad;
  const double large = is_double() ? 1e200 : 1e30, small = 1.0 / large;
  const Tensor ones = torch::ones({2, 12}, options(dtype()));
  const auto expect_not_solved = [&](const LinearSolver& solver, const LinearOperator& a, const Tensor& b) {
    const Stats stats = solver.solve(a, b, {}, tolerance()).stats;
    EXPECT_EQ(stats.count(Status::Converged), 0) << stats.full();
  };
  const LinearOperator shrinks{.product = [=](const Tensor& v) { return v * small; }};
  const LinearOperator enlarges{.product = [=](const Tensor& v) { return v * large; }};
  const LinearOperator twice{.product = [](const Tensor& v) { return 2.0 * v; }};
  const LinearOperator half{.product = [](const Tensor& v) { return 0.5 * v; }, .identity_minus = true};
  for (const LinearCandidate& candidate : library_solvers()) {
    SCOPED_TRACE(candidate.name);
    expect_not_solved(candidate.solver, shrinks, ones * large);   // x overflows
    expect_not_solved(candidate.solver, enlarges, ones * small);  // x vanishes
    for (const LinearOperator& a : {twice, half}) {
      for (const double bad : std::vector<double>{INFINITY, -INFINITY, NAN}) {
        expect_not_solved(candidate.solver, a, ones * bad);
      }
      if (!is_double()) continue;
      // Finite numbers without a finite norm: none is within a tolerance that is relative to it.
      const Stats stats = candidate.solver.solve(a, ones * 1.7e308, {}, tolerance()).stats;
      EXPECT_TRUE(stats.count(Status::Converged) == 0 || stats.max_residual() == 0.0) << stats.full();
    }
  }
}

TEST_P(Sizes, OfTheIncomingGradientDoNotMatter) {
  const Tensor w = (0.3 * normal({6, 6})).to(dtype()), x = normal({3, 6}, dtype());
  const auto gradient = [&](double size, const LinearSolver& solver) {
    const Tensor leaf = w.clone().requires_grad_();
    const Tensor z0 = torch::zeros_like(x);
    const auto [z, stats] = fixed_point([&](const Tensor& y) { return torch::tanh(y.matmul(leaf) + x); }, z0,
                                        {.gradient = ImplicitGradient{.linear_solver = solver}});
    const Tensor g = grad({z}, {leaf}, {torch::ones_like(z) * size})[0];
    EXPECT_TRUE(stats.backward->converged()) << stats.backward->full();
    EXPECT_GT(stats.backward->max_residual(), 0.0);
    return g.to(torch::kDouble) / size;
  };
  for (const LinearCandidate& candidate : library_solvers()) {
    if (candidate.needs == LinearCandidate::Needs::Definite) continue;
    const Tensor expected = gradient(1.0, candidate.solver);
    for (const double size : extremes()) {
      EXPECT_TRUE(close(gradient(size, candidate.solver), expected, accuracy()))
          << candidate.name << " of size " << size;
    }
  }
}

TEST_P(Sizes, OfTheRightHandSideDoNotMatterToLinearSolve) {
  const Tensor matrix = 2.0 * torch::eye(8, options()) + 0.2 * normal({8, 8}), b = normal({3, 8});
  const Tensor expected = torch::linalg_solve(matrix, b.t()).t();
  for (const double size : extremes()) {
    const auto [value, stats] = linear_solve(matrix.to(dtype()), (b * size).to(dtype()));
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_LT(stats.max_residual(), tolerance().relative * 20.0 * size);
    EXPECT_TRUE(close(value.to(torch::kDouble) / size, expected, accuracy()));
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, Sizes,
                         testing::Combine(testing::Values(torch::kDouble, torch::kFloat), testing::Bool()),
                         [](const auto& chosen) {
                           return std::string(std::get<0>(chosen.param) == torch::kDouble ? "Double"
                                                                                          : "Float") +
                                  (std::get<1>(chosen.param) ? "Aten" : "Fused");
                         });

}  // namespace
}  // namespace stillpoint::test
