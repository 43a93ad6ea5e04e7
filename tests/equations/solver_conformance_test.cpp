// What every solver owes, on every problem that it has to solve, on the fused and on the ATen path.
#include <gtest/gtest.h>

#include <memory>

#include "core/rows/rows.h"
#include "equations/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

class Solver : public testing::TestWithParam<std::tuple<SolverCandidate, torch::Dtype, bool>> {
 protected:
  void SetUp() override {
    if (std::get<bool>(GetParam())) aten_ = std::make_unique<detail::AtenPathGuard>();
  }
  const SolverCandidate& candidate() const { return std::get<0>(GetParam()); }
  torch::Dtype dtype() const { return std::get<1>(GetParam()); }

  std::vector<Problem> problems() const {
    std::vector<Problem> result;
    for (Problem& problem : known_problems(dtype())) {
      if (problem.contracts || candidate().claims.needs != SolverClaims::Needs::Contraction) {
        result.push_back(std::move(problem));
      }
    }
    return result;
  }
  FixedPointOptions options(std::int64_t max_iterations = 100'000) const {
    return {.solver = candidate().solver, .max_iterations = max_iterations, .on_failure = OnFailure::Ignore};
  }

 private:
  std::unique_ptr<detail::AtenPathGuard> aten_;
};

Tensor norms_of(const Tensor& t) { return t.to(at::kDouble).reshape({t.size(0), -1}).norm(2, 1); }

TEST_P(Solver, FindsTheKnownSolution) {
  const ResolvedTolerance tolerance = Tolerance{}.resolved(dtype());
  for (const Problem& problem : problems()) {
    SCOPED_TRACE(problem.name);
    const auto [value, stats] = fixed_point(problem.f, problem.z0, options());
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_EQ(value.sizes(), problem.z0.sizes());
    EXPECT_EQ(value.scalar_type(), dtype());
    EXPECT_EQ(value.device(), problem.z0.device());

    const Tensor allowed = tolerance.absolute + tolerance.relative * norms_of(value);
    const Tensor error = norms_of(value - problem.solution);
    EXPECT_LE((error - 1.05 * problem.amplification * allowed).max().item<double>(), 0.0)
        << "error " << error.max().item<double>() << " of " << stats.full();
    const Tensor residual = vector(stats.residual);
    EXPECT_LE((residual - allowed * (1 + 1e-5)).max().item<double>(), 0.0);
    EXPECT_TRUE(close(residual / allowed, norms_of(problem.f(value) - value) / allowed, 1e-2));
  }
}

TEST_P(Solver, ReportsWhatItDid) {
  const Problem problem = cosine(dtype());
  int calls = 0;
  const Map counted = [&](const Tensor& z) {
    ++calls;
    return problem.f(z);
  };
  const Tensor start = problem.z0.clone();
  const torch::NoGradGuard off;  // the evaluation recorded for the backward pass is not the solver's
  const Stats stats = fixed_point(counted, start, options()).stats;
  EXPECT_EQ(stats.evaluations, calls);
  EXPECT_EQ(stats.method.find(candidate().solver.name()), 0U) << stats.method;
  EXPECT_EQ(stats.status.size(), 4u);
  EXPECT_GT(*std::max_element(stats.iterations.begin(), stats.iterations.end()), 0);
  EXPECT_TRUE(identical(start, problem.z0)) << "the start was written to";
}

TEST_P(Solver, StopsAtTheIterationsAllowed) {
  const Problem problem = affine(0.9, true, dtype());
  for (const std::int64_t allowed : {0, 1, 3}) {
    auto tight = options(allowed);
    tight.tolerance = {.relative = 0.0, .absolute = 0.0};
    const auto [value, stats] = fixed_point(problem.f, problem.z0, tight);
    for (const std::int64_t iterations : stats.iterations) EXPECT_LE(iterations, allowed);
    if (allowed == 0) {
      EXPECT_TRUE(identical(value, problem.z0));
    }
    if (candidate().name != "Newton") {
      EXPECT_EQ(stats.count(Status::MaxIterations), 3);
    }
  }
}

TEST_P(Solver, StaysWhereItConverged) {
  const Problem problem = tanh_layer(dtype());
  const auto first = fixed_point(problem.f, problem.z0, options());
  const auto again = fixed_point(problem.f, first.value, options());
  EXPECT_TRUE(identical(again.value, first.value));
  EXPECT_EQ(again.stats.evaluations, 1);
  EXPECT_EQ(again.stats.mean_iterations(), 0.0);
}

// Which records nothing of its own, so that Jacobians would be zero.
TEST_P(Solver, DoesTheSameInInferenceMode) {
  const Problem problem = tanh_layer(dtype());
  const auto expected = fixed_point(problem.f, problem.z0, options());
  const c10::InferenceMode inference;
  for (const Tensor& start : {problem.z0, problem.z0.clone()}) {
    const auto [value, stats] = fixed_point(problem.f, start, options());
    EXPECT_EQ(stats.iterations, expected.stats.iterations);
    EXPECT_TRUE(identical(value, expected.value.detach()));
  }
}

TEST_P(Solver, TakesAnEmptyBatchAndEmptySamples) {
  const auto [none, none_stats] =
      fixed_point([](const Tensor& z) { return z * 0.5; }, zeros({0, 3}, dtype()), options());
  EXPECT_EQ(none.sizes(), at::IntArrayRef({0, 3}));
  EXPECT_TRUE(none_stats.converged());
  const auto [hollow, hollow_stats] =
      fixed_point([](const Tensor& z) { return z * 0.5; }, zeros({2, 0}, dtype()), options());
  EXPECT_EQ(hollow.sizes(), at::IntArrayRef({2, 0}));
  EXPECT_TRUE(hollow_stats.converged());
}

TEST_P(Solver, TakesStatesOfAnyShapeAndLayout) {
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{4}, {4, 1}, {2, 3, 5}, {2, 1, 2, 3}}) {
    const Tensor b = normal(shape, dtype());
    const auto value =
        fixed_point([&](const Tensor& z) { return 0.3 * z + b; }, torch::zeros_like(b), options()).value;
    EXPECT_TRUE(close(value, b / 0.7, dtype() == at::kDouble ? 1e-9 : 1e-4));
  }
  const Tensor b = normal({4, 3}, dtype());
  const Map to_other_layout = [&](const Tensor& z) { return (0.3 * z + b).t().contiguous().t(); };
  const auto value = fixed_point(to_other_layout, normal({3, 4}, dtype()).t(), options()).value;
  EXPECT_TRUE(close(value, b / 0.7, dtype() == at::kDouble ? 1e-9 : 1e-4));
}

std::string name_of(const testing::TestParamInfo<Solver::ParamType>& info) {
  return std::get<0>(info.param).name + (std::get<1>(info.param) == at::kDouble ? "Double" : "Float") +
         (std::get<2>(info.param) ? "Aten" : "Fused");
}

INSTANTIATE_TEST_SUITE_P(All, Solver,
                         testing::Combine(testing::ValuesIn(solver_candidates()),
                                          testing::Values(at::kDouble, at::kFloat), testing::Bool()),
                         name_of);

// The two paths take the same steps: after a few of them, before anything rests on rounding.
TEST(Paths, TakeTheSameSteps) {
  for (const SolverCandidate& candidate : solver_candidates()) {
    for (const Problem& problem : known_problems(at::kDouble)) {
      for (const auto norm : {Norm::Euclidean, Norm::RootMeanSquare, Norm::Maximum}) {
        const FixedPointOptions few{.solver = candidate.solver,
                                    .tolerance = {.norm = norm},
                                    .max_iterations = 3,
                                    .on_failure = OnFailure::Ignore};
        const auto fused = fixed_point(problem.f, problem.z0, few);
        const detail::AtenPathGuard aten;
        const auto plain = fixed_point(problem.f, problem.z0, few);
        EXPECT_TRUE(close(fused.value, plain.value, 1e-9)) << candidate.name << " on " << problem.name;
        EXPECT_EQ(fused.stats.status, plain.stats.status) << candidate.name << " on " << problem.name;
        EXPECT_EQ(fused.stats.iterations, plain.stats.iterations) << candidate.name << " on " << problem.name;
      }
    }
  }
}

}  // namespace
}  // namespace stillpoint::test
