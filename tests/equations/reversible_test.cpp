// The iteration that is run backwards: exact where rounding has not grown, and it says where it has.
#include <gtest/gtest.h>

#include "equations/own_types.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/layer_check.h"
#include "support/warnings.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;
using Inputs = std::vector<Tensor>;

constexpr double kClose = 1e-2;  // of the residual, at which a sample stops

Tensor reversible_by_hand(const Inputs& in, double mixing, int max_iterations) {
  const auto f = [&](const Tensor& z) { return torch::tanh(z.matmul(in[0])); };
  Tensor y = in[1], z = in[1];
  for (int i = 0; i < max_iterations; ++i) {
    const Tensor fz = f(z);
    const Tensor running = (fz - z).norm(2, 1, true) > kClose;
    y = torch::where(running, (1 - mixing) * y + mixing * fz, y);
    z = torch::where(running, (1 - mixing) * z + mixing * f(y), z);
  }
  return z;
}

Tensor reversible(const Inputs& in, double mixing, int max_iterations, std::int64_t checkpoint_every) {
  return fixed_point([w = in[0]](const Tensor& z) { return torch::tanh(z.matmul(w)); }, in[1],
                     {.solver = Reversible{.mixing = mixing},
                      .gradient = ReversibleGradient{.checkpoint_every = checkpoint_every},
                      .tolerance = {.relative = 0.0, .absolute = kClose},
                      .max_iterations = max_iterations,
                      .on_failure = OnFailure::Ignore})
      .value;
}

// Samples that stop at different steps; one at once.
Inputs weight_and_start() {
  return {(normal({3, 3}) * 0.3).requires_grad_(),
          (normal({4, 3}) * vector({1, 0.01, 5, 0}).unsqueeze(1)).requires_grad_()};
}

TEST(ReversibleGradient, IsThatOfWhatWasComputedInTheStartToo) {
  const Inputs at = weight_and_start();
  for (const double mixing : {0.8, 0.4}) {
    for (const int max_iterations : {0, 1, 4, 30}) {
      const auto expected = derivatives(
          [&](const Inputs& in) { return reversible_by_hand(in, mixing, max_iterations); }, at, 3);
      const auto actual =
          derivatives([&](const Inputs& in) { return reversible(in, mixing, max_iterations, 0); }, at, 3);
      for (std::size_t order = 0; order < expected.size(); ++order) {
        for (std::size_t i = 0; i < expected[order].size(); ++i) {
          EXPECT_TRUE(close(actual[order][i], expected[order][i], 1e-12))
              << "order " << order << ", input " << i << ", mixing " << mixing;
        }
      }
    }
  }
}

TEST(ReversibleGradient, OfTheReversalIsThatOfTheIteration) {
  const Inputs at = weight_and_start();
  const Tensor weights = normal({4, 3});
  for (const double mixing : {0.8, 0.4}) {
    for (const int max_iterations : {0, 1, 2, 5, 30}) {
      for (const std::int64_t every : {0, 1, 3}) {
        const Tensor by_hand = reversible_by_hand(at, mixing, max_iterations);
        const Tensor z = reversible(at, mixing, max_iterations, every);
        const auto expected = grad({by_hand}, at, {weights}, false, false, true);
        const auto actual = grad({z}, at, {weights}, false, false, true);
        // At most 12 steps are taken: 1e-16 · 0.2⁻¹² is 4e-8, with 3 steps between checkpoints 1e-14.
        const double tolerance = every > 0 || max_iterations <= 2 ? 1e-12 : 1e-7;
        EXPECT_EQ(expected[0].defined(), actual[0].defined());
        if (expected[0].defined()) {
          EXPECT_TRUE(close(actual[0], expected[0], tolerance));
        }
        EXPECT_TRUE(close(actual[1], expected[1], tolerance));
      }
    }
  }
}

struct Contraction {
  Tensor x = normal({2, 3}).requires_grad_();
  Map f = [this](const Tensor& z) { return torch::tanh(0.4 * z + x.to(z.scalar_type())); };

  Solution<Tensor> solve(std::int64_t steps, const ReversibleGradient& rule, OnFailure on_failure,
                         torch::Dtype dtype = torch::kDouble) const {
    return fixed_point(f, zeros({2, 3}, dtype),
                       {.solver = Reversible{},
                        .gradient = rule,
                        .tolerance = {.relative = dtype == torch::kFloat ? 1e-4 : 0.0},
                        .max_iterations = steps,
                        .on_failure = on_failure});
  }
};

TEST(ReversibleGradient, SaysHowFarTheReversalDrifted) {
  const Contraction problem;
  double before = 0.0;
  for (const std::int64_t steps : {4, 8, 12, 16, 20, 40}) {
    const auto [value, stats] = problem.solve(steps, {}, OnFailure::Ignore);
    grad({value.sum()}, {problem.x});
    EXPECT_GT(stats.backward->max_residual(), 100 * before) << steps;  // 5⁴ = 625
    EXPECT_EQ(stats.backward->converged(), steps <= 12) << stats.backward->full();
    before = stats.backward->max_residual();
  }
}

TEST(ReversibleGradient, ObeysOnFailureAboutDrift) {
  const Contraction problem;
  const ReversibleGradient often{.checkpoint_every = 5};
  {
    const WarningRecorder warnings;
    grad({fixed_point(problem.f, zeros({2, 3}), {.solver = Reversible{}, .gradient = ReversibleGradient{}})
              .value.sum()},
         {problem.x});
    ASSERT_EQ(warnings.messages().size(), 1U);
    EXPECT_NE(warnings.messages()[0].find("reversal"), std::string::npos);
  }
  const WarningRecorder warnings;
  const Tensor z = fixed_point(problem.f, zeros({2, 3}), {.solver = Reversible{}, .gradient = often}).value;
  const Tensor exact = fixed_point(problem.f, zeros({2, 3}), {.tolerance = {.relative = 1e-13}}).value;
  EXPECT_TRUE(close(grad({z.sum()}, {problem.x})[0], grad({exact.sum()}, {problem.x})[0], 1e-8));
  EXPECT_TRUE(warnings.messages().empty());
}

TEST(ReversibleGradient, InFloatStartsFromRoundingInDouble) {
  const Contraction problem;
  const auto [value, stats] = problem.solve(100, {}, OnFailure::Throw, torch::kFloat);
  EXPECT_EQ(value.scalar_type(), torch::kFloat);
  const Tensor gradient = grad({value.sum()}, {problem.x})[0];
  EXPECT_LT(stats.backward->max_residual(), 1e-5) << stats.full();
  const Tensor exact = fixed_point(problem.f, zeros({2, 3}), {.tolerance = {.relative = 1e-13}}).value;
  EXPECT_TRUE(close(gradient, grad({exact.sum()}, {problem.x})[0], 1e-2));
}

TEST(ReversibleGradient, TakesTwoEvaluationsAStepEachWay) {
  const Tensor x = normal({2, 3}).requires_grad_();
  int calls = 0;
  const Map f = [&](const Tensor& z) {
    ++calls;
    return torch::tanh(0.4 * z + x);
  };
  const auto [value, stats] = fixed_point(
      f, zeros({2, 3}),
      {.solver = Reversible{}, .gradient = ReversibleGradient{}, .tolerance = {.relative = 1e-4}});
  const std::int64_t steps = *std::max_element(stats.iterations.begin(), stats.iterations.end());
  EXPECT_EQ(calls, 2 * steps + 2);
  EXPECT_EQ(stats.evaluations, calls);
  grad({value.sum()}, {x});
  EXPECT_EQ(calls, 4 * steps + 2);
  EXPECT_EQ(stats.backward->evaluations, 2 * steps);
}

TEST(ReversibleGradient, GoesWithReversibleOnly) {
  const Tensor x = normal({2, 3}).requires_grad_();
  for (const FixedPointSolver& solver : std::vector<FixedPointSolver>{Picard{}, Anderson{}, HalfSteps{}}) {
    expect_error(
        [&] {
          fixed_point([&](const Tensor& z) { return 0.5 * z + x; }, zeros({2, 3}),
                      {.solver = solver, .gradient = ReversibleGradient{}});
        },
        "use Reversible");
  }
}

TEST(ReversibleGradient, LeavesTheNeighborsOfAFailedSampleAlone) {
  Tensor start = normal({3, 2});
  start[1][0] = NAN;
  const Tensor x = normal({3, 2}).requires_grad_();
  const auto gradient = [&](const Tensor& z0, const Tensor& input) {
    const Tensor z = fixed_point([&](const Tensor& y) { return torch::tanh(0.4 * y + input); }, z0,
                                 {.solver = Reversible{},
                                  .gradient = ReversibleGradient{.checkpoint_every = 4},
                                  .on_failure = OnFailure::Ignore})
                         .value;
    return grad({z.sum()}, {input})[0];
  };
  const Tensor with = gradient(start, x);
  const Tensor healthy = gradient(torch::where(start.isnan(), 0.3, start), x);
  for (const std::int64_t b : {0, 2}) EXPECT_TRUE(identical(with[b], healthy[b])) << b;
}

}  // namespace
}  // namespace stillpoint::test
