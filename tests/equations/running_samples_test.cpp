// Inputs passed beside the state: finished samples are left out, and nothing else changes.
#include <gtest/gtest.h>

#include "equations/candidates.h"
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
    return fixed_point({map, {x, rate}}, torch::zeros_like(x), how);
  }
};

TEST(RunningSamples, GiveTheSameSolutionAndGradients) {
  const Mixed problem;
  for (const SolverCandidate& candidate : solver_candidates()) {
    SCOPED_TRACE(candidate.name);
    const FixedPointOptions how{.solver = candidate.solver, .max_iterations = 1000};
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
    EXPECT_EQ(some.evaluations, all.evaluations + 1) << "one to compare";
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
  const auto [value, stats] = fixed_point({map, {spoiled, problem.rate}}, zeros({problem.batch, 8}), how);
  EXPECT_EQ(stats.status[3], Status::NonFinite);
  EXPECT_EQ(stats.count(Status::Converged), problem.batch - 1);
}

void expect_same_gradients(const Tensor& some, const Tensor& all, const Tensor& x) {
  const auto first = grad({some.square().sum()}, {x}, {}, true, true)[0];
  const auto expected = grad({all.square().sum()}, {x}, {}, true, true)[0];
  EXPECT_TRUE(close(first, expected, 1e-8));
  EXPECT_TRUE(close(grad({first.square().sum()}, {x})[0], grad({expected.square().sum()}, {x})[0], 1e-7));
}

TEST(RunningSamples, OfARootGiveTheSame) {
  const Mixed problem;
  const auto g = [&](const Tensor& z, const std::vector<Tensor>& inputs) {
    return Mixed::f(z, problem.weight, inputs[0], inputs[1]) - z - 0.2 * inputs[1] * z.pow(3);
  };
  const Tensor z0 = zeros({problem.batch, 8});
  for (const RootCandidate& candidate : root_candidates()) {
    SCOPED_TRACE(candidate.name);
    const RootOptions how{.solver = candidate.solver, .max_iterations = 1000};
    const auto all = root([&](const Tensor& z) { return g(z, {problem.x, problem.rate}); }, z0, how);
    const auto some = root({g, {problem.x, problem.rate}}, z0, how);
    EXPECT_TRUE(some.stats.converged()) << some.stats.full();
    EXPECT_TRUE(close(some.value, all.value, 1e-9));
    EXPECT_EQ(some.stats.iterations, all.stats.iterations);
    EXPECT_LT(some.stats.sample_evaluations, all.stats.sample_evaluations + problem.batch);
    expect_same_gradients(some.value, all.value, problem.x);
  }
}

// A tensor and a row of two, which react on each other.
std::vector<Tensor> coupled_cell(const std::vector<Tensor>& z, const std::vector<Tensor>& inputs) {
  const Tensor& x = inputs[0];
  const Tensor& rate = inputs[1];
  return {rate * torch::tanh(z[0] + 0.1 * z[1].sum({1, 2}).unsqueeze(1)) + x,
          0.5 * rate.unsqueeze(2) * torch::sin(z[1]) + 0.1 * z[0].narrow(1, 0, 4).view({-1, 2, 2})};
}

TEST(RunningSamples, OfATupleGiveTheSame) {
  const Mixed problem;
  const std::vector<Tensor> inputs{problem.x, problem.rate};
  const std::vector<Tensor> z0{zeros({problem.batch, 8}), zeros({problem.batch, 2, 2})};
  for (const SolverCandidate& candidate : solver_candidates()) {
    SCOPED_TRACE(candidate.name);
    const FixedPointOptions how{.solver = candidate.solver, .max_iterations = 1000};
    const auto all =
        fixed_point([&](const std::vector<Tensor>& z) { return coupled_cell(z, inputs); }, z0, how);
    const auto some = fixed_point({coupled_cell, inputs}, z0, how);
    EXPECT_TRUE(some.stats.converged()) << some.stats.full();
    for (const std::size_t i : {0, 1}) {
      EXPECT_EQ(some.value[i].sizes(), z0[i].sizes());
      EXPECT_TRUE(close(some.value[i], all.value[i], 1e-9));
    }
    EXPECT_EQ(some.stats.iterations, all.stats.iterations);
    EXPECT_LT(some.stats.sample_evaluations, all.stats.sample_evaluations + problem.batch);
    expect_same_gradients(torch::cat({some.value[0], some.value[1].flatten(1)}, 1),
                          torch::cat({all.value[0], all.value[1].flatten(1)}, 1), problem.x);
  }
}

TEST(RunningSamples, OfATupleRootGiveTheSame) {
  const Mixed problem;
  const std::vector<Tensor> inputs{problem.x, problem.rate};
  const std::vector<Tensor> z0{zeros({problem.batch, 8}), zeros({problem.batch, 2, 2})};
  const auto g = [](const std::vector<Tensor>& z, const std::vector<Tensor>& in) {
    auto value = coupled_cell(z, in);
    for (const std::size_t i : {0, 1}) value[i] = value[i] - z[i];
    return value;
  };
  for (const RootCandidate& candidate : root_candidates()) {
    SCOPED_TRACE(candidate.name);
    const RootOptions how{.solver = candidate.solver, .max_iterations = 1000};
    const auto all = root([&](const std::vector<Tensor>& z) { return g(z, inputs); }, z0, how);
    const auto some = root({g, inputs}, z0, how);
    EXPECT_TRUE(some.stats.converged()) << some.stats.full();
    for (const std::size_t i : {0, 1}) EXPECT_TRUE(close(some.value[i], all.value[i], 1e-9));
    EXPECT_EQ(some.stats.iterations, all.stats.iterations);
    expect_same_gradients(torch::cat({some.value[0], some.value[1].flatten(1)}, 1),
                          torch::cat({all.value[0], all.value[1].flatten(1)}, 1), problem.x);
  }
}

TEST(RunningSamples, OfATupleAreAllThatIsEvaluated) {
  const Mixed problem;
  const std::vector<Tensor> inputs{problem.x, problem.rate};
  const std::vector<Tensor> z0{zeros({problem.batch, 8}), zeros({problem.batch, 2, 2})};
  const FixedPointOptions how{.solver = Picard{}, .max_iterations = 1000};
  std::int64_t rows = 0;
  const auto counted = [&](const std::vector<Tensor>& z, const std::vector<Tensor>& in) {
    rows += z[0].size(0);
    return coupled_cell(z, in);
  };
  const Stats some = fixed_point({counted, inputs}, z0, how).stats;
  EXPECT_LT(static_cast<double>(some.sample_evaluations),
            0.6 * static_cast<double>(some.evaluations * problem.batch));
  // The evaluation that the implicit gradient records comes on top.
  EXPECT_EQ(rows, some.sample_evaluations + problem.batch);
}

TEST(RunningSamples, LetTheBackwardPassReuseTheInverse) {
  const Mixed problem;
  for (const SolverCandidate& candidate : inverse_candidates()) {
    SCOPED_TRACE(candidate.name);
    const FixedPointOptions how{.solver = candidate.solver, .max_iterations = 1000};
    FixedPointOptions reusing = how;
    reusing.gradient = ImplicitGradient{.reuse = Reuse::Preconditioner};
    expect_same_gradients(problem.passed(reusing).value, problem.captured(how).value, problem.x);
  }
}

TEST(RunningSamples, OfARootThatMixesThemAreRefused) {
  // Every other sample is solved by the first step.
  const Tensor rate = 0.3 * torch::arange(40, options()).remainder(2).unsqueeze(1), x = normal({40, 8});
  const auto g = [](const Tensor& z, const std::vector<Tensor>& inputs) {
    return inputs[1] * torch::tanh(z - z.mean(0, true)) + inputs[0] - z;
  };
  const RootOptions how{.solver = Broyden{.start = BroydenStart::Identity}};
  expect_error(
      [&] {
        root({g, {x, rate}}, zeros({40, 8}), how);
      },
      "g: expected a map whose samples do not depend");
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
        fixed_point({passed, {problem.x, problem.rate}}, zeros({problem.batch, 8}), how);
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
        fixed_point({map, {zeros({3, 2})}}, zeros({2, 2}));
      },
      "inputs: expected tensors [B, …] with B = 2");
  expect_error([&] { fixed_point({map, {Tensor()}}, zeros({2, 2})); }, "inputs");
  expect_error([&] { fixed_point({MapWithInputs(), {zeros({2, 2})}}, zeros({2, 2})); }, "f: expected a map");
  const auto zero = [](const Tensor& z, const std::vector<Tensor>& inputs) { return inputs[0] - z; };
  expect_error(
      [&] {
        root({zero, {zeros({3, 2})}}, zeros({2, 2}));
      },
      "inputs: expected tensors [B, …] with B = 2");
  expect_error([&] { root({MapWithInputs(), {zeros({2, 2})}}, zeros({2, 2})); }, "g: expected a map");
  const std::vector<Tensor> z0{zeros({2, 2}), zeros({2, 1})};
  const auto same = [](const std::vector<Tensor>& z, const std::vector<Tensor>&) { return z; };
  expect_error(
      [&] {
        fixed_point({same, {zeros({3, 2})}}, z0);
      },
      "inputs: expected tensors [B, …] with B = 2");
  expect_error([&] { fixed_point({TupleMapWithInputs(), {zeros({2, 2})}}, z0); }, "f: expected a map");
  expect_error([&] { root({TupleMapWithInputs(), {zeros({2, 2})}}, z0); }, "g: expected a map");
  const auto one = [](const std::vector<Tensor>& z, const std::vector<Tensor>&) {
    return std::vector<Tensor>{z[0]};
  };
  expect_error([&] { fixed_point({one, {}}, z0); }, "2");
}

}  // namespace
}  // namespace stillpoint::test
