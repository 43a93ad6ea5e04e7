// Inputs passed beside the state: finished samples are left out, and nothing else changes.
#include <gtest/gtest.h>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

// One sample in ten contracts slowly.
struct Mixed {
  std::int64_t batch = 40;
  Tensor weight = std::get<0>(torch::linalg_qr(normal({8, 8})));
  Tensor rate = torch::where(torch::arange(batch, options()).remainder(10) == 0, 0.95, 0.3).unsqueeze(1);
  Tensor x = normal({batch, 8}).requires_grad_();

  static Tensor f(const Tensor& z, const Tensor& weight, const Tensor& x, const Tensor& rate) {
    return rate * torch::tanh(torch::matmul(z, weight)) + x;
  }
  Solution<Tensor> captured(const FixedPointOptions& how) const {
    return fixed_point([this](const Tensor& z) { return f(z, weight, x, rate); }, torch::zeros_like(x), how);
  }
  Solution<Tensor> passed(const FixedPointOptions& how) const {
    const auto map = [this](const Tensor& z, const std::vector<Tensor>& inputs) {
      return f(z, weight, inputs[0], inputs[1]);
    };
    return fixed_point(map, {x, rate}, torch::zeros_like(x), how);
  }
};

std::vector<FixedPointSolver> solvers_that_leave_out() {
  return {Picard{}, Picard{.damping = 0.8}, Anderson{}, Newton{},         Broyden{},
          Chord{},  NewtonKrylov{},         Dogleg{},   PseudoTransient{}};
}

TEST(RunningSamples, GiveTheSameSolutionAndGradients) {
  const Mixed problem;
  for (const FixedPointSolver& solver : solvers_that_leave_out()) {
    SCOPED_TRACE(solver.name());
    const FixedPointOptions how{.solver = solver, .max_iterations = 1000};
    const auto all = problem.captured(how);
    const auto some = problem.passed(how);
    EXPECT_TRUE(some.stats.converged()) << some.stats.full();
    EXPECT_TRUE(close(some.value, all.value, 1e-9));
    EXPECT_EQ(some.stats.iterations, all.stats.iterations);
    const auto first = grad({some.value.square().sum()}, {problem.x}, {}, true, true)[0];
    const auto expected = grad({all.value.square().sum()}, {problem.x}, {}, true, true)[0];
    EXPECT_TRUE(close(first, expected, 1e-8));
    EXPECT_TRUE(close(grad({first.square().sum()}, {problem.x})[0],
                      grad({expected.square().sum()}, {problem.x})[0], 1e-7));
  }
}

TEST(RunningSamples, AreAllThatIsEvaluated) {
  const Mixed problem;
  for (const FixedPointSolver& solver : {FixedPointSolver(Picard{}), FixedPointSolver(Anderson{})}) {
    const FixedPointOptions how{.solver = solver, .max_iterations = 1000};
    const Stats all = problem.captured(how).stats;
    const Stats some = problem.passed(how).stats;
    EXPECT_EQ(all.sample_evaluations, all.evaluations * problem.batch);
    EXPECT_EQ(some.evaluations, all.evaluations);
    // A tenth of the samples takes most of the iterations. (The test of independence costs one evaluation.)
    EXPECT_LT(static_cast<double>(some.sample_evaluations), 0.6 * static_cast<double>(all.sample_evaluations))
        << solver.name();
  }
}

TEST(RunningSamples, LeaveOutWhatFailed) {
  const Mixed problem;
  const Tensor spoiled = problem.x.detach().clone();
  spoiled[3].fill_(NAN);
  const auto map = [&](const Tensor& z, const std::vector<Tensor>& inputs) {
    return Mixed::f(z, problem.weight, inputs[0], inputs[1]);
  };
  const FixedPointOptions how{.max_iterations = 1000, .on_failure = OnFailure::Ignore};
  const auto [value, stats] = fixed_point(map, {spoiled, problem.rate}, zeros({problem.batch, 8}), how);
  EXPECT_EQ(stats.status[3], Status::NonFinite);
  EXPECT_EQ(stats.count(Status::Converged), problem.batch - 1);
}

TEST(RunningSamples, OfAMapThatMixesThemAreRefused) {
  const Mixed problem;
  const auto centered = [&](const Tensor& z, const Tensor& x, const Tensor& rate) {
    return rate * torch::tanh(z - z.mean(0, true)) + x;
  };
  const auto passed = [&](const Tensor& z, const std::vector<Tensor>& inputs) {
    return centered(z, inputs[0], inputs[1]);
  };
  const FixedPointOptions how{.solver = Picard{}, .max_iterations = 1000};
  expect_error(
      [&] {
        fixed_point(passed, {problem.x, problem.rate}, zeros({problem.batch, 8}), how);
      },
      "do not depend on each other");
  const auto captured = [&](const Tensor& z) { return centered(z, problem.x, problem.rate); };
  const auto [value, stats] = fixed_point(captured, zeros({problem.batch, 8}), how);
  EXPECT_TRUE(stats.converged());
  EXPECT_LT((captured(value) - value).norm().item<double>(), 1e-8);
}

TEST(RunningSamples, NeedInputsOfTheBatch) {
  const auto map = [](const Tensor& z, const std::vector<Tensor>& inputs) { return 0.5 * z + inputs[0]; };
  expect_error(
      [&] {
        fixed_point(map, {zeros({3, 2})}, zeros({2, 2}));
      },
      "inputs: expected tensors [B, …] with B = 2");
  expect_error([&] { fixed_point(map, {Tensor()}, zeros({2, 2})); }, "inputs");
  expect_error([&] { fixed_point(MapWithInputs(), {zeros({2, 2})}, zeros({2, 2})); }, "f: expected a map");
}

}  // namespace
}  // namespace stillpoint::test
