// What `minimize` offers beside its solvers: observers, limits, lists of tensors, inputs, and other
// gradients.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

std::vector<Minimizer> watched_minimizers() {
  return {optim::Lbfgs{},       optim::Newton{},      optim::GradientDescent{},
          optim::NewtonCg{},    optim::NonlinearCg{}, optim::Bfgs{},
          optim::TrustRegion{}, optim::SteihaugCg{},  optim::NelderMead{}};
}

// Σ ¼x⁴ + ½x² − p x.
Tensor quartic(const Tensor& x, const Tensor& p) { return (.25 * x.pow(4) + .5 * x.square() - p * x).sum(1); }

struct Watched {
  std::vector<std::int64_t> steps;
  std::vector<Tensor> x;
  std::vector<Mask> running;
  Observer observer() {
    return [this](const Iterate& at) {
      steps.push_back(at.step);
      x.push_back(at.z);
      running.push_back(at.running);
    };
  }
};

TEST(MinimizeOptions, ObserversSeeEveryIterateAndChangeNothing) {
  torch::manual_seed(1);
  const Tensor p = vector({0.1, 50.0, 1.0}).view({3, 1}) * torch::ones({1, 2}, options());
  const auto f = [&](const Tensor& x) { return quartic(x, p); };
  for (const Minimizer& solver : watched_minimizers()) {
    Watched watched;
    const auto plain = minimize(f, zeros({3, 2}), {.solver = solver});
    const auto [x, stats] = minimize(f, zeros({3, 2}), {.solver = solver, .observer = watched.observer()});
    EXPECT_TRUE(identical(x, plain.value)) << solver.name();
    EXPECT_EQ(stats.evaluations, plain.stats.evaluations);
    ASSERT_FALSE(watched.steps.empty());
    for (std::size_t k = 0; k < watched.steps.size(); ++k) {
      EXPECT_EQ(watched.steps[k], static_cast<std::int64_t>(k)) << solver.name();
    }
    EXPECT_TRUE(identical(watched.x.back(), x)) << solver.name();
    EXPECT_FALSE(watched.running.back().any());
  }
}

TEST(MinimizeOptions, TimeEnds) {
  const auto slow = [](const Tensor& x) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return (x - 3).pow(4).sum(1);
  };
  for (const Minimizer& solver : watched_minimizers()) {
    const auto [x, stats] =
        minimize(slow, zeros({1, 2}), {.solver = solver, .time_limit = 0.0, .on_failure = OnFailure::Ignore});
    EXPECT_EQ(stats.status[0], Status::TimeLimit) << solver.name() << stats.full();
    // The first simplex of a direct search has its best corner elsewhere.
    EXPECT_TRUE(!solver.descends() || identical(x, zeros({1, 2}))) << solver.name();
  }
  expect_error(
      [&] {
        minimize(slow, zeros({1, 2}), {.time_limit = -1.0});
      },
      "time_limit: expected a number ≥ 0");
}

TEST(MinimizeOptions, TakesSeveralTensors) {
  const Tensor a = leaf({1.0, 2.0, 3.0, -1.0}, {2, 2});
  const Tensor b = leaf({0.5, -0.5}, {2, 1});
  const auto f = [&](const std::vector<Tensor>& x) {
    return quartic(x[0], a) + quartic(x[1], b) + .1 * x[0].select(1, 0) * x[1].select(1, 0);
  };
  const auto joined = [&](const Tensor& x) {
    return quartic(x, torch::cat({a, b}, 1)) + .1 * x.select(1, 0) * x.select(1, 2);
  };
  const auto [x, stats] = minimize(f, {zeros({2, 2}), zeros({2, 1})});
  EXPECT_TRUE(stats.converged()) << stats.full();
  const Tensor expected = minimize(joined, zeros({2, 3})).value;
  EXPECT_TRUE(close(torch::cat({x[0], x[1]}, 1), expected, 1e-9));
  const auto one = gradients(x[0].sum() + x[1].square().sum(), {a, b});
  const auto two = gradients(expected.slice(1, 0, 2).sum() + expected.slice(1, 2).square().sum(), {a, b});
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(close(one[i], two[i], 1e-8));
  expect_error(
      [&] {
        minimize(f, {zeros({2, 2}), zeros({2, 1})}, {.lower = zeros({1})});
      },
      "lower, upper: expected none");
}

TEST(MinimizeOptions, LeavesFinishedSamplesOut) {
  torch::manual_seed(2);
  const Tensor scale = torch::logspace(0, 3, 12, 10.0, options()).view({12, 1});
  const Tensor p = (scale * normal({12, 3})).requires_grad_();
  const auto f = [](const Tensor& x, const std::vector<Tensor>& in) { return quartic(x, in[0]); };
  const auto of_list = [](const std::vector<Tensor>& list, const std::vector<Tensor>& in) {
    return quartic(torch::cat(list, 1), in[0]);
  };
  const auto [parts, cost] = minimize({of_list, {p}}, {zeros({12, 2}), zeros({12, 1})});
  const auto at_once = minimize([&](const Tensor& at) { return quartic(at, p); }, zeros({12, 3}));
  EXPECT_TRUE(close(torch::cat(parts, 1), at_once.value, 1e-9));
  EXPECT_LT(cost.sample_evaluations, at_once.stats.sample_evaluations);
  for (const Minimizer& solver : watched_minimizers()) {
    const auto whole =
        minimize([&](const Tensor& x) { return quartic(x, p); }, zeros({12, 3}), {.solver = solver});
    const auto [x, stats] = minimize({f, {p}}, zeros({12, 3}), {.solver = solver});
    EXPECT_TRUE(close(x, whole.value, 1e-9)) << solver.name();
    EXPECT_EQ(stats.status, whole.stats.status) << solver.name();
    EXPECT_LT(stats.sample_evaluations, whole.stats.sample_evaluations) << solver.name();
    EXPECT_TRUE(close(gradients(x.sum(), {p})[0], gradients(whole.value.sum(), {p})[0], 1e-7))
        << solver.name();
  }
  const auto mixing = [](const Tensor& x, const std::vector<Tensor>& in) {
    return quartic(x - x.mean(0), in[0]) + x.square().sum(1);
  };
  expect_error(
      [&] {
        minimize({mixing, {p}}, zeros({12, 3}), {.solver = optim::Newton{}});
      },
      "do not depend on each other");
  expect_error([&] { minimize({f, {p.slice(0, 1)}}, zeros({12, 3})); }, "inputs: expected tensors");
}

// At the minimum all rules agree; the truncated one the better, the more steps it takes.
TEST(MinimizeOptions, OtherGradientsComeToTheImplicitOne) {
  torch::manual_seed(3);
  const Tensor p = normal({3, 4}).requires_grad_();
  const Tensor w = normal({3, 4});
  const Tensor coupling = .3 * normal({4, 4});
  const auto f = [&](const Tensor& x) { return quartic(x, p) + .5 * x.matmul(coupling).square().sum(1); };
  MinimizeOptions choice{.solver = optim::Newton{}};
  const auto derivatives_of = [&](const MinimizeOptions& chosen) {
    const Tensor x = minimize(f, zeros({3, 4}), chosen).value;
    const Tensor first = gradients((w * x.square()).sum(), {p}, true)[0];
    return std::vector<Tensor>{x.detach(), first.detach(), gradients((w * first).sum(), {p})[0]};
  };
  const auto right = derivatives_of(choice);
  for (const Minimizer& solver : {Minimizer(optim::Newton{}), Minimizer(optim::GradientDescent{})}) {
    choice = {.solver = solver,
              .tolerance = {.relative = 1e-14, .absolute = 1e-14},
              .max_iterations = 300,
              .on_failure = OnFailure::Ignore};
    for (const GradientRule& rule :
         {GradientRule(UnrolledGradient{}), GradientRule(CheckpointedGradient{.every = 4})}) {
      choice.gradient = rule;
      const auto got = derivatives_of(choice);
      for (int order = 0; order < 3; ++order) {
        EXPECT_TRUE(close(got[order], right[order], 1e-8)) << solver.name() << rule.name() << order;
      }
    }
  }
  choice = {};
  double before = kInfinity;
  for (const std::int64_t steps : {1, 8, 64}) {
    choice.gradient = PhantomGradient{.steps = steps};
    const double error = max_difference(derivatives_of(choice)[1], right[1]);
    EXPECT_LT(error, .5 * before) << steps;
    before = error;
  }
  EXPECT_LT(before, 1e-8);
  choice.gradient = UnrolledGradient{};
  expect_error([&] { minimize(f, zeros({3, 4}), choice); }, "gradient: UnrolledGradient");
}

// Two steps of Newton by hand, far from the minimum, in x0 too.
TEST(MinimizeOptions, UnrolledStepsAreThoseThatWereTaken) {
  const Tensor p = leaf({0.4, -0.3}, {1, 2});
  const Tensor x0 = leaf({1.0, 2.0}, {1, 2});
  const auto by_hand = [&] {
    Tensor x = x0;
    for (int i = 0; i < 2; ++i) x = x - (x.pow(3) + x - p) / (3 * x.square() + 1);
    return x;
  };
  const Tensor x = minimize([&](const Tensor& at) { return quartic(at, p); }, x0,
                            {.solver = optim::Newton{},
                             .tolerance = {.relative = 0.0, .absolute = 0.0},
                             .max_iterations = 2,
                             .gradient = UnrolledGradient{},
                             .on_failure = OnFailure::Ignore})
                       .value;
  EXPECT_TRUE(close(x, by_hand(), 1e-13));
  const auto got = gradients(x.sum(), {p, x0}, true);
  const auto right = gradients(by_hand().sum(), {p, x0}, true);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(close(got[i], right[i], 1e-12));
    const auto second = gradients(got[i].sum(), {p, x0});
    const auto expected = gradients(right[i].sum(), {p, x0});
    for (int j = 0; j < 2; ++j) EXPECT_TRUE(close(second[j], expected[j], 1e-11));
  }
}

TEST(NelderMead, NeedsNoGradients) {
  const auto rosenbrock = [](const Tensor& x) {
    const Tensor u = x.detach().select(1, 0), v = x.detach().select(1, 1);
    return (1 - u).square() + 100 * (v - u.square()).square();
  };
  const Tensor x0 = vector({-1.2, 1.0, 2.0, -2.0}).view({2, 2});
  const auto [x, stats] = minimize(rosenbrock, x0, {.solver = optim::NelderMead{}});
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_TRUE(close(x, torch::ones_like(x), 1e-5)) << x;
  EXPECT_FALSE(x.requires_grad());
  // A kink is a minimum like any other.
  const auto kink = minimize([](const Tensor& at) { return at.abs().sum(1) + .5 * at.select(1, 0); },
                             vector({0.3, -2.0}).view({1, 2}), {.solver = optim::NelderMead{}});
  EXPECT_TRUE(kink.stats.converged()) << kink.stats.full();
  EXPECT_TRUE(close(kink.value, zeros({1, 2}), 1e-6));
}

TEST(NelderMead, HasDerivativesBoundsAndHonestStatuses) {
  const Tensor p = leaf({0.7, -0.2}, {1, 2});
  const auto f = [&](const Tensor& x) { return quartic(x, p); };
  const optim::NelderMead solver;
  const auto [x, stats] = minimize(f, zeros({1, 2}), {.solver = solver});
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_TRUE(close(x + x.pow(3), p, 1e-6));
  EXPECT_TRUE(close(gradients(x.sum(), {p})[0], 1 / (3 * x.square() + 1), 1e-9));
  const auto bounded = minimize(f, zeros({1, 2}), {.solver = solver, .upper = vector({0.1, 5.0})});
  EXPECT_TRUE(bounded.stats.converged()) << bounded.stats.full();
  EXPECT_EQ(bounded.value[0][0].item<double>(), 0.1);
  // What cannot be told by values is not said to be found.
  const auto too_fine = minimize(f, zeros({1, 2}),
                                 {.solver = solver,
                                  .tolerance = {.relative = 1e-13, .absolute = 1e-13},
                                  .on_failure = OnFailure::Ignore});
  EXPECT_EQ(too_fine.stats.status[0], Status::Stalled) << too_fine.stats.full();
  const auto rows = [](const Tensor& at) {
    const Tensor r = at.select(1, 0);
    return torch::stack({r[0].square(), -r[1], r[2].log() + r[2].square()});
  };
  const auto what = minimize(rows, vector({2.0, 1.0, -1.0}).view({3, 1}),
                             {.solver = solver, .on_failure = OnFailure::Ignore});
  EXPECT_EQ(what.stats.status[0], Status::Converged) << what.stats.full();
  EXPECT_EQ(what.stats.status[1], Status::Unbounded) << what.stats.full();
  EXPECT_EQ(what.stats.status[2], Status::NonFinite) << what.stats.full();
  expect_error(
      [&] {
        minimize(f, zeros({1, 2}), {.solver = optim::NelderMead{.size = 0}});
      },
      "NelderMead.size: expected");
}

TEST(TrustRegions, SayWhatDoesNotFit) {
  const auto f = [](const Tensor& x) { return x.square().sum(1); };
  const Tensor x0 = torch::ones({1, 2}, options());
  expect_error([&] { minimize(f, x0, {.solver = optim::TrustRegion{.radius = 0.0}}); }, "TrustRegion.radius");
  expect_error([&] { minimize(f, x0, {.solver = optim::SteihaugCg{.radius = -1.0}}); }, "SteihaugCg.radius");
  expect_error([&] { minimize(f, x0, {.solver = optim::SteihaugCg{.max_products = 0}}); },
               "SteihaugCg.max_products");
}

// Sums of squares that bend down near their start: the gradient has no part along the least curvature there.
TEST(TrustRegions, LeaveHardCases) {
  const auto f = [](const Tensor& x) {
    const Tensor u = x.select(1, 0), v = x.select(1, 1);
    return .25 * u.pow(4) - .5 * u.square() + .5 * (v - 1).square();
  };
  // Exactly on the line where the gradient is orthogonal, and nearly.
  const auto [x, stats] =
      minimize(f, vector({0.0, 3.0, 1e-14, -2.0}).view({2, 2}), {.solver = optim::TrustRegion{}});
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_TRUE(close(x.abs(), torch::ones_like(x), 1e-9)) << x;
}

// Of a step that ends on a bound, in the bound; of a start on one, in neither of its later steps.
TEST(MinimizeOptions, UnrolledStepsFollowTheBoundsThatHoldThem) {
  const Tensor lower = leaf({0.0, 0.5}, {1, 2});
  const Tensor upper = leaf({2.0, 1.0}, {1, 2});
  const Tensor center = leaf({-1.0, 3.0}, {1, 2});
  const auto f = [&](const Tensor& x) { return (x - center).pow(2).sum(1) + .1 * x.pow(4).sum(1); };
  for (const Minimizer& solver : {Minimizer(optim::GradientDescent{}), Minimizer(optim::Newton{})}) {
    for (const GradientRule& rule :
         {GradientRule(UnrolledGradient{}), GradientRule(CheckpointedGradient{.every = 2})}) {
      for (const double start : {1.0, 0.0}) {
        const Tensor x0 = leaf({start, 0.75}, {1, 2});
        const auto [x, stats] =
            minimize(f, x0, {.solver = solver, .lower = lower, .upper = upper, .gradient = rule});
        EXPECT_TRUE(stats.converged()) << stats.full();
        const auto g = gradients((x * vector({2.0, 3.0})).sum(), {lower, upper, center, x0});
        const double through_start = start == 0.0 ? 2.0 : 0.0;
        EXPECT_TRUE(close(g[0], vector({2.0 - through_start, 0.0}).view({1, 2}), 1e-12))
            << solver.name() << g[0];
        EXPECT_TRUE(close(g[1], vector({0.0, 3.0}).view({1, 2}), 1e-12)) << solver.name() << g[1];
        EXPECT_TRUE(close(g[2], zeros({1, 2}), 1e-12)) << solver.name();
        EXPECT_TRUE(close(g[3], vector({through_start, 0.0}).view({1, 2}), 1e-12)) << solver.name() << g[3];
      }
    }
  }
}

}  // namespace
}  // namespace stillpoint::test
