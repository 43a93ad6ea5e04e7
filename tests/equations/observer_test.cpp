// What can be seen of a solve, what it stops by, and a loss on what was seen.
#include <gtest/gtest.h>

#include "equations/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/layer_check.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

struct Seen {
  std::int64_t step;
  Tensor z;
  std::vector<double> residual;
  Mask running;
};

struct Trace {
  std::vector<Seen> iterates;
  Observer observer() {
    return [this](const Iterate& at) { iterates.push_back({at.step, at.z, at.residual, at.running}); };
  }
};

// Samples that need different numbers of steps; the third starts where it ends.
struct Batch {
  Tensor rate = vector({0.1, 0.8, 0.4, 0.6}).unsqueeze(1);
  Tensor x = (normal({4, 3}) * vector({1, 1, 0, 1}).unsqueeze(1)).requires_grad_();
  Map f = [this](const Tensor& z) { return rate * torch::sin(z) + x; };
};

TEST(Observer, SeesEveryIterateOfEverySolver) {
  const Batch batch;
  for (const SolverCandidate& candidate : solver_candidates()) {
    SCOPED_TRACE(candidate.name);
    Trace trace;
    const auto [value, stats] =
        fixed_point(batch.f, zeros({4, 3}),
                    {.solver = candidate.solver, .max_iterations = 500, .observer = trace.observer()});
    const auto most = *std::max_element(stats.iterations.begin(), stats.iterations.end());
    ASSERT_EQ(static_cast<std::int64_t>(trace.iterates.size()), most + 1);
    EXPECT_TRUE(identical(trace.iterates.front().z, zeros({4, 3})));
    EXPECT_TRUE(identical(trace.iterates.back().z, value));
    EXPECT_EQ(trace.iterates.back().residual, stats.residual);
    for (std::size_t k = 0; k < trace.iterates.size(); ++k) {
      const Seen& seen = trace.iterates[k];
      EXPECT_EQ(seen.step, static_cast<std::int64_t>(k));
      EXPECT_FALSE(seen.z.requires_grad());
      const Tensor residual = (batch.f(seen.z) - seen.z).norm(2, 1);
      for (std::int64_t b = 0; b < 4; ++b) {
        EXPECT_NEAR(seen.residual[b], residual[b].item<double>(), 1e-14);
        EXPECT_EQ(seen.running[b] == 0, stats.iterations[b] <= seen.step) << "sample " << b;
        if (seen.running[b] == 0) {
          EXPECT_TRUE(identical(seen.z[b], value[b]));
        }
      }
    }
  }
}

TEST(Observer, ChangesNothing) {
  const Batch batch;
  for (const SolverCandidate& candidate : solver_candidates()) {
    Trace trace;
    const auto plain =
        fixed_point(batch.f, zeros({4, 3}), {.solver = candidate.solver, .max_iterations = 500});
    const auto watched =
        fixed_point(batch.f, zeros({4, 3}),
                    {.solver = candidate.solver, .max_iterations = 500, .observer = trace.observer()});
    EXPECT_TRUE(identical(watched.value, plain.value)) << candidate.name;
    EXPECT_EQ(watched.stats.iterations, plain.stats.iterations);
    EXPECT_EQ(watched.stats.evaluations, plain.stats.evaluations);
  }
}

TEST(Observer, SeesTheRulesThatIterateThemselves) {
  const Batch batch;
  for (const GradientRule& rule :
       {GradientRule(UnrolledGradient{}), GradientRule(CheckpointedGradient{.every = 3})}) {
    Trace trace;
    const auto [value, stats] = fixed_point(
        batch.f, zeros({4, 3}), {.solver = Picard{}, .gradient = rule, .observer = trace.observer()});
    EXPECT_TRUE(identical(trace.iterates.back().z, value.detach()));
    const std::size_t seen = trace.iterates.size();
    grad({value.sum()}, {batch.x});
    EXPECT_EQ(trace.iterates.size(), seen);
  }
}

TEST(Observer, SeesPackedTuplesAndRoots) {
  const std::vector<Tensor> z0{zeros({2, 3}), zeros({2, 2, 2})};
  const Packing packing(z0);
  Trace trace;
  const auto tuple = fixed_point(
      [](const std::vector<Tensor>& z) {
        return std::vector<Tensor>{torch::cos(z[0]), 0.5 * torch::cos(z[1])};
      },
      z0, {.observer = trace.observer()});
  EXPECT_EQ(trace.iterates.back().z.sizes(), at::IntArrayRef({2, 7}));
  EXPECT_TRUE(identical(packing.unpack(trace.iterates.back().z)[1], tuple.value[1]));
  Trace of_root;
  const auto root_found = root([](const Tensor& z) { return torch::cos(z) - z; }, zeros({2, 3}),
                               {.observer = of_root.observer()});
  EXPECT_TRUE(identical(of_root.iterates.back().z, root_found.value));
}

TEST(Observer, ThatThrowsEndsTheSolve) {
  struct Enough {};
  const Observer throwing = [](const Iterate& at) {
    if (at.step == 2) throw Enough{};
  };
  EXPECT_THROW(
      fixed_point([](const Tensor& z) { return torch::cos(z); }, zeros({1, 2}), {.observer = throwing}),
      Enough);
}

// Where each sample stopped, and that it was there that its step was small enough for the first time.
void check_stops_by_step(const Trace& trace, const Solution<Tensor>& solution, double tolerance) {
  const std::int64_t batch = solution.value.size(0);
  for (std::int64_t b = 0; b < batch; ++b) {
    EXPECT_EQ(solution.stats.status[b], Status::Converged);
    for (std::size_t k = 1; k < trace.iterates.size(); ++k) {
      const Seen& now = trace.iterates[k];
      const double step = (now.z[b] - trace.iterates[k - 1].z[b]).norm().item<double>();
      if (static_cast<std::int64_t>(k) > solution.stats.iterations[b]) break;
      const bool small = step > 0.0 && step <= tolerance * now.z[b].norm().item<double>();
      EXPECT_EQ(small || now.residual[b] == 0.0, now.running[b] == 0) << "sample " << b << ", step " << k;
    }
  }
}

TEST(StepCriterion, StopsWhereTheStepIsSmallAndReportsTheResidual) {
  const Batch batch;
  constexpr double tolerance = 1e-6;
  for (const SolverCandidate& candidate : solver_candidates()) {
    SCOPED_TRACE(candidate.name);
    const auto solution = fixed_point(batch.f, torch::ones({4, 3}, options()),
                                      {.solver = candidate.solver,
                                       .tolerance = {.relative = tolerance, .absolute = 0.0},
                                       .max_iterations = 500,
                                       .on_failure = OnFailure::Ignore,
                                       .criterion = Criterion::Step});
    // The third sample tends to zero, so its step never is small beside it before the residual vanishes.
    const Tensor residual = (batch.f(solution.value) - solution.value).norm(2, 1);
    for (std::int64_t b = 0; b < 4; ++b) {
      EXPECT_NEAR(solution.stats.residual[b], residual[b].item<double>(), 1e-14);
    }
    for (const std::int64_t b : {0, 1, 3}) {
      EXPECT_EQ(solution.stats.status[b], Status::Converged);
      EXPECT_LT(solution.stats.residual[b], 1e-5);
    }
  }
}

TEST(StepCriterion, StopsAtTheFirstSmallStep) {
  const Tensor rate = vector({0.1, 0.8, 0.4, 0.6}).unsqueeze(1), x = normal({4, 3});
  const Map f = [&](const Tensor& z) { return rate * torch::sin(z) + x; };
  for (const SolverCandidate& candidate : solver_candidates()) {
    SCOPED_TRACE(candidate.name);
    Trace trace;
    const auto solution = fixed_point(f, zeros({4, 3}),
                                      {.solver = candidate.solver,
                                       .tolerance = {.relative = 1e-6, .absolute = 0.0},
                                       .criterion = Criterion::Step,
                                       .observer = trace.observer()});
    check_stops_by_step(trace, solution, 1e-6);
  }
}

TEST(StepCriterion, OfPicardIsTheResidualOneStepBefore) {
  const Tensor x = normal({4, 3});
  const Map f = [&](const Tensor& z) { return 0.5 * torch::sin(z) + x; };
  const Tolerance tolerance{.relative = 0.0, .absolute = 1e-8};
  const auto by_residual = fixed_point(f, zeros({4, 3}), {.solver = Picard{}, .tolerance = tolerance});
  const auto by_step = fixed_point(
      f, zeros({4, 3}), {.solver = Picard{}, .tolerance = tolerance, .criterion = Criterion::Step});
  for (std::size_t b = 0; b < 4; ++b) {
    EXPECT_EQ(by_step.stats.iterations[b], by_residual.stats.iterations[b] + 1);
    EXPECT_LE(by_step.stats.residual[b], 0.5 * by_residual.stats.residual[b]);
  }
}

TEST(StepCriterion, DoesNotTakeARefusedTrialForAStep) {
  // From 2 on, full Newton steps on the arc tangent overshoot, and solvers refuse them.
  const Map g = [](const Tensor& z) { return -torch::atan(z); };
  for (const RootCandidate& candidate : root_candidates()) {
    for (const double start : {2.0, 5.0, 20.0}) {
      const auto solve = [&](Criterion criterion) {
        return root(g, vector({start}).unsqueeze(1),
                    {.solver = candidate.solver,
                     .tolerance = {.absolute = 1e-9},
                     .on_failure = OnFailure::Ignore,
                     .criterion = criterion});
      };
      const auto [value, stats] = solve(Criterion::Step);
      EXPECT_EQ(stats.converged(), solve(Criterion::Residual).stats.converged()) << candidate.name;
      if (stats.converged()) {
        EXPECT_LT(value.abs().item<double>(), 1e-6) << candidate.name << " from " << start;
      }
    }
  }
}

TEST(StepCriterion, TakesAStartThatSolvesExactlyAndJudgesNoOther) {
  const Map half = [](const Tensor& z) { return 0.5 * z; };
  const FixedPointOptions options{.solver = Picard{}, .criterion = Criterion::Step};
  EXPECT_EQ(fixed_point(half, zeros({1, 2}), options).stats.iterations[0], 0);
  const Map close_to_start = [](const Tensor& z) { return z + 1e-14; };
  EXPECT_EQ(fixed_point(close_to_start, torch::ones({1, 2}, test::options()), options).stats.iterations[0],
            1);
}

TEST(StepCriterion, LeavesTheGradientExact) {
  const Tensor x = normal({2, 3}).requires_grad_();
  const Map f = [&](const Tensor& z) { return torch::tanh(0.5 * z + x); };
  const auto by_step = fixed_point(f, zeros({2, 3}), {.criterion = Criterion::Step}).value;
  const auto by_residual = fixed_point(f, zeros({2, 3})).value;
  EXPECT_TRUE(close(grad({by_step.sum()}, {x})[0], grad({by_residual.sum()}, {x})[0], 1e-8));
  const auto unrolled =
      fixed_point(f, zeros({2, 3}),
                  {.solver = Picard{}, .gradient = UnrolledGradient{}, .criterion = Criterion::Step})
          .value;
  EXPECT_TRUE(close(unrolled, by_residual, 1e-9));
}

TEST(CorrectionLoss, IsTheWeightedSumOfOneStepEach) {
  const Tensor w = (normal({3, 3}) * 0.2).requires_grad_(), x = normal({2, 3}).requires_grad_();
  const Tensor target = normal({2, 3});
  const Map f = [&](const Tensor& z) { return torch::tanh(z.matmul(w) + x); };
  const auto loss = [&](const Tensor& z) { return (z - target).square().sum(); };
  std::vector<Tensor> states;
  const auto keep = [&](const Iterate& at) {
    if (at.step % 2 == 1) states.push_back(at.z);
  };
  fixed_point(f, zeros({2, 3}), {.solver = Picard{}, .max_iterations = 20, .observer = keep});
  ASSERT_GE(states.size(), 4U);
  states.resize(4);
  const Tensor sum = correction_loss(f, states, loss, 0.7);
  const auto gradients = grad({sum}, {w, x}, {}, true, true);
  Tensor expected = zeros({});
  for (std::size_t k = 0; k < 4; ++k) {
    // The phantom gradient of one step, taken where the solver stands still.
    const auto standing =
        fixed_point(
            f, states[k],
            {.gradient = PhantomGradient{.steps = 1}, .max_iterations = 0, .on_failure = OnFailure::Ignore})
            .value;
    EXPECT_TRUE(identical(standing.detach(), states[k]));
    expected = expected + std::pow(0.7, 3.0 - static_cast<double>(k)) * loss(f(states[k]));
  }
  EXPECT_TRUE(close(sum, expected, 1e-14));
  const auto of_expected = grad({expected}, {w, x}, {}, true, true);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(close(gradients[i], of_expected[i], 1e-14));
    EXPECT_TRUE(close(grad({gradients[i].square().sum()}, {w}, {}, true)[0],
                      grad({of_expected[i].square().sum()}, {w}, {}, true)[0], 1e-13));
  }
}

TEST(CorrectionLoss, HasTheGradientOfAPhantomStepAtEachState) {
  const Tensor x = normal({2, 3}).requires_grad_(), state = normal({2, 3});
  const Map f = [&](const Tensor& z) { return torch::tanh(0.5 * z + x); };
  const Tensor phantom =
      fixed_point(
          f, state,
          {.gradient = PhantomGradient{.steps = 1}, .max_iterations = 0, .on_failure = OnFailure::Ignore})
          .value;
  const auto sum = [](const Tensor& z) { return z.sum(); };
  EXPECT_TRUE(close(grad({correction_loss(f, {state}, sum)}, {x})[0], grad({phantom.sum()}, {x})[0], 1e-15));
}

TEST(CorrectionLoss, GivesNothingToTheStates) {
  const Tensor x = normal({2, 3}).requires_grad_(), state = normal({2, 3}).requires_grad_();
  const auto sum = [](const Tensor& z) { return z.sum(); };
  const Tensor loss = correction_loss([&](const Tensor& z) { return 0.5 * z + x; }, {state}, sum);
  EXPECT_FALSE(grad({loss}, {state}, {}, true, false, true)[0].defined());
}

TEST(CorrectionLoss, NamesWhatIsWrong) {
  const Map f = [](const Tensor& z) { return 0.5 * z; };
  const auto sum = [](const Tensor& z) { return z.sum(); };
  const Tensor z = zeros({2, 3});
  expect_error([&] { correction_loss(Map(), {z}, sum); }, "f:");
  expect_error([&] { correction_loss(f, {}, sum); }, "states");
  expect_error([&] { correction_loss(f, {Tensor()}, sum); }, "states");
  expect_error([&] { correction_loss(f, {z}, nullptr); }, "loss");
  expect_error([&] { correction_loss(f, {z}, [](const Tensor& y) { return y; }); }, "loss");
  expect_error([&] { correction_loss([](const Tensor& y) { return y.sum(); }, {z}, sum); }, "f:");
  for (const double gamma : {0.0, -1.0, 1.1, static_cast<double>(NAN)}) {
    expect_error([&] { correction_loss(f, {z}, sum, gamma); }, "gamma");
  }
}

}  // namespace
}  // namespace stillpoint::test
