// Solvers of one's own: derivatives of what they find, and what is reported where they find something else.
#include <gtest/gtest.h>

#include <ATen/core/grad_mode.h>

#include <limits>

#include "optim/programs.h"
#include "support/layer_check.h"
#include "support/warnings.h"

namespace stillpoint::test {
namespace {

// ½ x'(I + LL')x + p'x + ¼ Σ x⁴, by its gradient.
struct Quartic {
  Tensor L, p;

  Tensor operator()(const Tensor& x) const { return x + x.matmul(L).matmul(L.t()) + p + x.pow(3); }
  // Newton's method, for a fixed number of steps.
  Tensor minimum(const Tensor& x0, int steps = 30) const {
    Tensor x = x0;
    const Tensor H = torch::eye(L.size(0), L.options()) + L.matmul(L.t());
    for (int i = 0; i < steps; ++i) {
      const Tensor here = H + torch::diag_embed(3 * x.square());
      x = x - torch::linalg_solve(here, (*this)(x).unsqueeze(2)).squeeze(2);
    }
    return x;
  }
};

Solution<Tensor> solve(const Quartic& problem, const OptimumOptions& options = {}, int steps = 30) {
  return optimum([=](const Tensor& x0) { return problem.minimum(x0, steps); }, problem,
                 torch::zeros_like(problem.p), options);
}

TEST(Optimum, HasExactDerivatives) {
  torch::manual_seed(1);
  for (const Structure structure : {Structure::General, Structure::Symmetric, Structure::PositiveDefinite}) {
    const Layer layer = [&](const Solve&, const std::vector<Tensor>& in) {
      return solve({in[1], in[0]}, {.structure = structure}).value;
    };
    check_layer(layer, {per_sample(normal({4, 5})), shared(.5 * normal({5, 3}))},
                {.variants = {exact_variants().front()}});
  }
}

TEST(Optimum, ReportsBothWays) {
  torch::manual_seed(2);
  const Quartic problem{normal({3, 3}), normal({2, 3}).requires_grad_()};
  const auto [x, stats] = solve(problem, {.structure = Structure::PositiveDefinite});
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_LE(stats.max_residual(), 1e-12);
  EXPECT_LE(problem(x).abs().max().item<double>(), 1e-12);
  x.sum().backward();
  EXPECT_EQ(stats.backward->method, "Cg");
  EXPECT_TRUE(stats.backward->converged());
}

TEST(Optimum, SaysWhichSamplesTheSolverMissed) {
  torch::manual_seed(3);
  Quartic problem{normal({3, 3}), normal({4, 3}).requires_grad_()};
  const Tensor right = solve(problem).value;
  const auto careless = [&](const Tensor& x0) {
    Tensor x = problem.minimum(x0);
    x[1] += 1e-6;
    x[3][0] = std::numeric_limits<double>::quiet_NaN();
    return x;
  };
  const Tensor start = zeros({4, 3});
  const auto [x, stats] = optimum(careless, problem, start, {.on_failure = OnFailure::Ignore});
  EXPECT_EQ(stats.status,
            (std::vector{Status::Converged, Status::Inaccurate, Status::Converged, Status::NonFinite}));
  EXPECT_GT(stats.residual[1], stats.allowed[1]);
  EXPECT_LE(stats.residual[0], stats.allowed[0]);
  EXPECT_TRUE(identical(x[0], right[0]));
  const WarningRecorder recorder;
  optimum(careless, problem, start);
  ASSERT_EQ(recorder.messages().size(), 1U);
  EXPECT_NE(recorder.messages()[0].find("2 of 4 samples converged"), std::string::npos);
  EXPECT_NE(recorder.messages()[0].find("let the solver go on"), std::string::npos);
  expect_error([&] { optimum(careless, problem, start, {.on_failure = OnFailure::Throw}); },
               "inaccurate: 1 sample (#1");
  // What such a solver reaches can be asked for.
  const auto loose =
      optimum(careless, problem, start, {.tolerance = {.absolute = 1e-5}, .on_failure = OnFailure::Ignore});
  EXPECT_EQ(loose.stats.status[1], Status::Converged);
}

// A residual in another unit decides alike; that of another problem is not satisfied.
TEST(Optimum, DoesNotDependOnTheUnitOfTheResidual) {
  torch::manual_seed(4);
  const Quartic problem{normal({3, 3}), normal({4, 3})};
  for (const double unit : {1e-9, 1e9}) {
    const auto scaled = [&](const Tensor& x) { return unit * problem(x); };
    for (const double off : {1e-14, 1e-8}) {
      const auto near = [&](const Tensor& x0) { return problem.minimum(x0) + off; };
      const auto stats =
          optimum(near, scaled, torch::zeros_like(problem.p), {.on_failure = OnFailure::Ignore}).stats;
      EXPECT_EQ(stats.count(Status::Converged), off < 1e-10 ? 4 : 0) << stats.full();
    }
  }
  const Quartic other{problem.L, problem.p + 1e-6};
  const auto stats = optimum([&](const Tensor& x0) { return problem.minimum(x0); }, other,
                             torch::zeros_like(problem.p), {.on_failure = OnFailure::Ignore})
                         .stats;
  EXPECT_EQ(stats.count(Status::Inaccurate), 4);
}

// Least squares with x ≥ 0 by projected gradients, against the program.
TEST(Optimum, DifferentiatesAProjectedMethod) {
  torch::manual_seed(5);
  const Tensor A = torch::eye(6, 4, options()) + .3 * normal({6, 4});
  const Tensor b = normal({5, 6});
  const auto data = [&] {
    return std::vector<Tensor>{A.clone().requires_grad_(), b.clone().requires_grad_()};
  };
  const auto one = data();
  const auto slope = [](const std::vector<Tensor>& d, const Tensor& x) {
    return (x.matmul(d[0].t()) - d[1]).matmul(d[0]);
  };
  const auto step = [&](const Tensor& x, double length) { return (x - length * slope(one, x)).clamp_min(0); };
  const auto descend = [&](Tensor x) {
    for (int i = 0; i < 2000; ++i) x = step(x, .3);
    return x;
  };
  const auto [x, stats] = optimum(
      descend, [&](const Tensor& t) { return t - step(t, 1.0); }, zeros({5, 4}));
  EXPECT_TRUE(stats.converged()) << stats.full();
  const auto two = data();
  const auto program =
      quadratic_program({.Q = two[0].t().matmul(two[0]), .p = -two[1].matmul(two[0]), .lower = zeros({4})});
  EXPECT_TRUE(close(x, program.x, 1e-12));
  const Tensor weight = normal({5, 4});
  const auto got = gradients((weight * x.square()).sum(), one);
  const auto expected = gradients((weight * program.x.square()).sum(), two);
  EXPECT_TRUE(close(got[0], expected[0], 1e-9));
  EXPECT_TRUE(close(got[1], expected[1], 1e-9));
}

// min ½‖x − p‖² subject to a'x = 1, with its multiplier: x = p − a (a'p − 1) / a'a.
TEST(Optimum, TakesASolutionWithItsMultipliers) {
  torch::manual_seed(6);
  const Tensor p = normal({3, 4}).requires_grad_();
  const Tensor a = normal({4}).requires_grad_();
  const auto exact = [&] {
    const Tensor y = (p.matmul(a) - 1) / a.dot(a);
    return std::vector<Tensor>{p - y.unsqueeze(1) * a, y.unsqueeze(1)};
  };
  const auto conditions = [&](const std::vector<Tensor>& v) {
    return std::vector<Tensor>{v[0] - p + v[1] * a, v[0].matmul(a).unsqueeze(1) - 1};
  };
  const auto [v, stats] =
      optimum([&](const std::vector<Tensor>&) { return exact(); }, conditions,
              std::vector<Tensor>{zeros({3, 4}), zeros({3, 1})}, {.structure = Structure::Symmetric});
  EXPECT_TRUE(stats.converged()) << stats.full();
  const auto loss = [](const std::vector<Tensor>& w) { return w[0].pow(3).sum() + w[1].square().sum(); };
  const auto first = gradients(loss(v), {p, a}, true);
  const auto right = gradients(loss(exact()), {p, a}, true);
  const auto second = gradients(first[1].square().sum() + first[0].square().sum(), {p, a});
  const auto right_second = gradients(right[1].square().sum() + right[0].square().sum(), {p, a});
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(close(first[i], right[i], 1e-8)) << i;
    EXPECT_TRUE(close(second[i], right_second[i], 1e-8)) << i;
  }
}

TEST(Optimum, RunsTheSolverOnceWithoutAGraph) {
  torch::manual_seed(7);
  const Quartic problem{normal({3, 3}), normal({2, 3}).requires_grad_()};
  int runs = 0;
  const auto solver = [&](const Tensor& x0) {
    ++runs;
    EXPECT_FALSE(at::GradMode::is_enabled());
    EXPECT_FALSE(x0.requires_grad());
    const at::AutoGradMode on(true);
    return problem.minimum(x0 + 0 * problem.p);  // with a graph, which is dropped
  };
  const Tensor start = zeros({2, 3}).requires_grad_();
  const Tensor x = optimum(solver, problem, start).value;
  EXPECT_TRUE(torch::autograd::grad({x.sum()}, {start, problem.p}, {}, true, false, true)[0].defined() ==
              false);
  EXPECT_EQ(runs, 1);
  const at::NoGradGuard no_grad;
  EXPECT_FALSE(
      optimum([&](const Tensor& t) { return problem.minimum(t); }, problem, start).value.requires_grad());
}

TEST(Optimum, NamesWhatDoesNotFit) {
  const Quartic problem{normal({3, 3}), normal({2, 3})};
  const Tensor start = zeros({2, 3});
  const auto same = [](const Tensor& t) { return t; };
  expect_error([&] { optimum(Map(), problem, start); }, "solver: expected a function");
  expect_error([&] { optimum(same, Condition(Map()), start); }, "optimality: expected a function");
  expect_error([&] { optimum(TupleMap(), TupleCondition(TupleMap()), {start}); },
               "solver: expected a function");
  const auto both = [](const std::vector<Tensor>& t) { return t; };
  expect_error([&] { optimum(both, TupleCondition(TupleMap()), {start}); },
               "optimality: expected a function");
  expect_error([&] { optimum(same, problem, Tensor()); }, "x0: expected a tensor [B, …]");
  expect_error([&] { optimum([](const Tensor& t) { return t.sum(1); }, problem, start); }, "solver");
  expect_error(
      [&] {
        optimum(
            same, [](const Tensor& t) { return t.sum(1); }, start);
      },
      "optimality");
  expect_error([&] { optimum(same, problem, start, {.tolerance = {.relative = -1.0}}); }, "relative");
  const auto empty = solve({normal({3, 3}), zeros({0, 3}).requires_grad_()});
  EXPECT_EQ(empty.value.sizes(), at::IntArrayRef({0, 3}));
  EXPECT_TRUE(empty.stats.converged());
}

}  // namespace
}  // namespace stillpoint::test
