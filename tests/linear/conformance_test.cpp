// What every linear solver owes, on every system that it has to solve, on the fused and on the ATen path.
#include <gtest/gtest.h>

#include <memory>

#include "core/rows/rows.h"
#include "linear/candidates.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

class LinearSolvers : public testing::TestWithParam<std::tuple<LinearCandidate, torch::Dtype, bool>> {
 protected:
  void SetUp() override {
    if (std::get<bool>(GetParam())) aten_ = std::make_unique<detail::AtenPathGuard>();
  }
  const LinearCandidate& candidate() const { return std::get<0>(GetParam()); }
  torch::Dtype dtype() const { return std::get<1>(GetParam()); }

  /// As in linear_solve: relative to b alone.
  ResolvedTolerance tolerance(Norm norm = Norm::Euclidean) const {
    return Tolerance{.relative = {}, .absolute = 0.0, .norm = norm}.resolved(dtype());
  }
  std::vector<System> systems() const {
    std::vector<System> result;
    for (System& system : known_systems(dtype())) {
      if (candidate().solves(system)) result.push_back(std::move(system));
    }
    return result;
  }
  /// A system that every solver can solve.
  System easy() const { return contraction(0.9, true, dtype()); }

  Solution<Tensor> solve(const System& system, const Tensor& x0 = {}) const {
    return candidate().solver.solve(system.a, system.b, x0, tolerance());
  }
  void expect_solved(const System& system, const Solution<Tensor>& solution) const {
    const auto& [value, stats] = solution;
    const Tensor allowed = tolerance().relative * norms_of(system.b);
    const Tensor rounding = system.rounding(system.solution);
    // Where rounding alone makes a residual of that size, as for a radius of 0.99 in float, none is owed.
    for (std::int64_t i = 0; i < system.b.size(0); ++i) {
      const bool reachable = (2.0 * rounding <= allowed)[i].item<bool>();
      EXPECT_TRUE(!reachable || stats.status[i] == Status::Converged) << stats.full();
    }
    const Tensor error = norms_of(value.to(torch::kDouble) - system.solution);
    EXPECT_LE((error - 1.01 * system.amplification() * (allowed + rounding)).max().item<double>(), 0.0)
        << "error " << error << "of " << stats.full();
  }

 private:
  std::unique_ptr<detail::AtenPathGuard> aten_;
};

TEST_P(LinearSolvers, FindTheKnownSolution) {
  const torch::NoGradGuard no_grad;
  for (const System& system : systems()) {
    SCOPED_TRACE(system.name);
    const Solution<Tensor> solution = solve(system);
    expect_solved(system, solution);
    EXPECT_EQ(solution.value.sizes(), system.b.sizes());
    EXPECT_EQ(solution.value.scalar_type(), dtype());
    EXPECT_EQ(solution.value.device(), system.b.device());
  }
}

TEST_P(LinearSolvers, ReportTheTrueResidual) {
  const torch::NoGradGuard no_grad;
  for (const System& system : systems()) {
    SCOPED_TRACE(system.name);
    const auto [value, stats] = solve(system);
    const Tensor difference = (vector(stats.residual) - system.residual(value)).abs();
    EXPECT_LE((difference - system.rounding(value)).max().item<double>(), 0.0)
        << "true residuals " << system.residual(value) << "of " << stats.full();
  }
}

TEST_P(LinearSolvers, CountEveryProduct) {
  const torch::NoGradGuard no_grad;
  for (const System& system : systems()) {
    for (const Tensor& x0 : {Tensor(), torch::ones_like(system.b)}) {
      SCOPED_TRACE(system.name);
      std::int64_t calls = 0;
      LinearOperator counted = system.a;
      counted.product = [&](const Tensor& v) {
        ++calls;
        return system.a.product(v);
      };
      const Stats stats = candidate().solver.solve(counted, system.b, x0, tolerance()).stats;
      EXPECT_EQ(stats.evaluations, calls) << stats.full();
      EXPECT_EQ(stats.status.size(), static_cast<std::size_t>(system.b.size(0)));
      EXPECT_EQ(stats.iterations.size(), stats.status.size());
      EXPECT_EQ(stats.residual.size(), stats.status.size());
    }
  }
}

TEST_P(LinearSolvers, ReachTheSameFromAnyStart) {
  const torch::NoGradGuard no_grad;
  for (const System& system : systems()) {
    SCOPED_TRACE(system.name);
    if (system.name == "one zero" || system.name == "all zero") continue;  // A x = 0 to 0 · ‖b‖ is luck
    expect_solved(system, solve(system, 0.7 * system.b.flip(-1) - 2.0 * system.b));
  }
}

TEST_P(LinearSolvers, TakeNoIterationFromTheSolution) {
  const torch::NoGradGuard no_grad;
  if (!candidate().goes_on_from_start) GTEST_SKIP() << "does not look at the start";
  for (const System& system : systems()) {
    SCOPED_TRACE(system.name);
    const Tensor solution = system.solution.to(dtype());
    const auto [value, stats] = solve(system, solution);
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_EQ(stats.mean_iterations(), 0.0);
    EXPECT_TRUE(identical(value, solution));
  }
}

TEST_P(LinearSolvers, StopAtTheIterationsAllowedWithTheirBest) {
  const torch::NoGradGuard no_grad;
  if (!candidate().limited) GTEST_SKIP() << "knows no limit";
  const System system = contraction(0.99, true, dtype());
  double previous = std::numeric_limits<double>::infinity();
  for (const std::int64_t allowed : {0, 1, 3, 5}) {
    const auto [value, stats] = candidate().limited(allowed).solve(system.a, system.b, {}, tolerance());
    EXPECT_EQ(stats.count(Status::MaxIterations), 3) << stats.full();
    for (const std::int64_t iterations : stats.iterations) EXPECT_EQ(iterations, allowed);
    EXPECT_TRUE(close(vector(stats.residual), system.residual(value), 1e-5));
    EXPECT_LE(stats.residual[0], previous);
    previous = stats.residual[0];
  }
}

TEST_P(LinearSolvers, TakeEmptyBatchesAndEmptySamples) {
  const torch::NoGradGuard no_grad;
  const LinearOperator half{.product = [](const Tensor& v) { return 0.5 * v; }, .identity_minus = true};
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{0}, {0, 3}, {2, 0}, {0, 0}, {2, 3, 0}}) {
    for (const Norm norm : {Norm::Euclidean, Norm::RootMeanSquare, Norm::Maximum}) {
      const auto [value, stats] = candidate().solver.solve(half, zeros(shape, dtype()), {}, tolerance(norm));
      EXPECT_EQ(value.sizes(), at::IntArrayRef(shape));
      EXPECT_TRUE(stats.converged());
      EXPECT_EQ(stats.status.size(), static_cast<std::size_t>(shape[0]));
      EXPECT_EQ(stats.max_residual(), 0.0);
    }
  }
}

TEST_P(LinearSolvers, TakeAnyLayout) {
  const torch::NoGradGuard no_grad;
  const auto transposed = [](const Tensor& t) { return t.t().contiguous().t(); };
  System system = easy();
  const Map product = system.a.product;
  const Map to_other_layout = [=](const Tensor& v) { return transposed(product(v)); };
  const Tensor b = system.b, start = 0.1 * b;
  for (const bool other_b : {false, true}) {
    for (const bool other_product : {false, true}) {
      system.b = other_b ? transposed(b) : b;
      system.a.product = other_product ? to_other_layout : product;
      for (const Tensor& x0 : {Tensor(), start, transposed(start)}) expect_solved(system, solve(system, x0));
    }
  }
}

TEST_P(LinearSolvers, OwnWhatTheyReturn) {
  const torch::NoGradGuard no_grad;
  const LinearOperator identity{.product = [](const Tensor& v) { return v; }};
  const Tensor b = normal({3, 4}, dtype()), before = b.clone();
  const auto [value, stats] = candidate().solver.solve(identity, b, {}, tolerance());
  EXPECT_TRUE(close(value, before, 1e-6)) << stats.full();
  value.zero_();
  EXPECT_TRUE(identical(b, before));
  const Tensor start = b.clone();
  candidate().solver.solve(identity, b, start, tolerance()).value.zero_();
  EXPECT_TRUE(identical(start, before));
}

TEST_P(LinearSolvers, MeasureInTheNormAskedFor) {
  const torch::NoGradGuard no_grad;
  const System system = easy();
  const auto norm_of = [](const Tensor& t, Norm norm) {
    const Tensor rows = t.to(torch::kDouble).abs();
    if (norm == Norm::Maximum) return rows.amax(1);
    return norm == Norm::Euclidean ? rows.square().sum(1).sqrt() : rows.square().mean(1).sqrt();
  };
  for (const Norm norm : {Norm::Euclidean, Norm::RootMeanSquare, Norm::Maximum}) {
    ResolvedTolerance loose = tolerance(norm);
    loose.relative = 1e-3;
    const auto [value, stats] = candidate().solver.solve(system.a, system.b, {}, loose);
    EXPECT_TRUE(stats.converged()) << stats.full();
    const Tensor residual = system.b - system.a.mv(value);
    EXPECT_LE((norm_of(residual, norm) - 1.01e-3 * norm_of(system.b, norm)).max().item<double>(), 0.0);
    if (!candidate().of_the_library) continue;  // it measures as it likes
    const double rounding = dtype() == torch::kDouble ? 1e-14 : 1e-5;
    EXPECT_LE(max_difference(vector(stats.residual), norm_of(residual, norm)), rounding);
  }
}

TEST_P(LinearSolvers, AddTheAbsoluteTolerance) {
  const torch::NoGradGuard no_grad;
  const System system = easy();
  const ResolvedTolerance absolute{.relative = 0.0, .absolute = 1e-3};
  const auto [value, stats] = candidate().solver.solve(system.a, system.b, {}, absolute);
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_LE(system.residual(value).max().item<double>(), 1.01e-3);
}

std::string name_of(const testing::TestParamInfo<LinearSolvers::ParamType>& info) {
  return std::get<0>(info.param).name + (std::get<1>(info.param) == torch::kDouble ? "Double" : "Float") +
         (std::get<2>(info.param) ? "Aten" : "Fused");
}

INSTANTIATE_TEST_SUITE_P(All, LinearSolvers,
                         testing::Combine(testing::ValuesIn(linear_candidates()),
                                          testing::Values(torch::kDouble, torch::kFloat), testing::Bool()),
                         name_of);

// The two paths take the same steps: a few of them, before anything rests on rounding.
TEST(LinearSolverPaths, TakeTheSameSteps) {
  const torch::NoGradGuard no_grad;
  const ResolvedTolerance tight{.relative = 1e-10, .absolute = 0.0};
  for (const LinearCandidate& candidate : linear_candidates()) {
    if (!candidate.limited) continue;
    for (const System& system : known_systems(torch::kDouble)) {
      const auto fused = candidate.limited(4).solve(system.a, system.b, {}, tight);
      const detail::AtenPathGuard aten;
      const auto plain = candidate.limited(4).solve(system.a, system.b, {}, tight);
      EXPECT_TRUE(close(fused.value, plain.value, 1e-9)) << candidate.name << " on " << system.name;
      EXPECT_EQ(fused.stats.status, plain.stats.status) << candidate.name << " on " << system.name;
      EXPECT_EQ(fused.stats.iterations, plain.stats.iterations) << candidate.name << " on " << system.name;
      EXPECT_EQ(fused.stats.evaluations, plain.stats.evaluations) << candidate.name << " on " << system.name;
    }
  }
}

}  // namespace
}  // namespace stillpoint::test
