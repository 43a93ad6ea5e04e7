// Minimizers: known minima with their derivatives, what a sample can come to, and bounds.
#include <gtest/gtest.h>

#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

#include "optim/programs.h"
#include "support/layer_check.h"

namespace stillpoint::test {
namespace {

std::vector<Minimizer> minimizers() {
  return {optim::Lbfgs{},       optim::Newton{}, optim::GradientDescent{}, optim::NewtonCg{},
          optim::NonlinearCg{}, optim::Bfgs{},   optim::TrustRegion{},     optim::SteihaugCg{}};
}

std::vector<Minimizer> bounded_minimizers() {
  return {optim::Lbfgs{}, optim::Newton{},      optim::GradientDescent{}, optim::NewtonCg{},
          optim::Bfgs{},  optim::TrustRegion{}, optim::SteihaugCg{}};
}

Tensor column(const Tensor& x, std::int64_t i) { return x.select(1, i); }

// The derivative in `in` of each number of the first row of x.
std::vector<Tensor> rows_of_jacobian(const Tensor& x, const Tensor& in, bool create_graph = false) {
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < x.size(1); ++i) rows.push_back(gradients(x[0][i], {in}, create_graph)[0]);
  return rows;
}

// ½ x'(I + LL')x + p'x + ¼ Σ x⁴.
struct Well {
  Tensor L, p;
  Tensor operator()(const Tensor& x) const {
    return .5 * (x.square().sum(1) + x.matmul(L).square().sum(1)) + (p * x).sum(1) + .25 * x.pow(4).sum(1);
  }
};

Tensor double_well(const Tensor& x) { return (x.pow(4) - 2 * x.square()).sum(1); }

TEST(Minimize, FindsRosenbrocksMinimumAndItsDerivatives) {
  for (const Minimizer& solver : minimizers()) {
    const Tensor a = leaf({1.5}, {});
    const Tensor b = leaf({100.0}, {});
    const auto f = [&](const Tensor& x) {
      return (a - column(x, 0)).square() + b * (column(x, 1) - column(x, 0).square()).square();
    };
    const Tensor x0 = vector({-1.2, 1.0, 2.0, -2.0}).view({2, 2});
    const auto [x, stats] = minimize(f, x0, {.solver = solver, .max_iterations = 20000});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(x, vector({1.5, 2.25}).expand({2, 2}), 1e-9)) << solver.name();
    const auto in_a = rows_of_jacobian(x, a);
    EXPECT_NEAR(in_a[0].item<double>(), 1.0, 1e-8) << solver.name();
    EXPECT_NEAR(in_a[1].item<double>(), 3.0, 1e-8) << solver.name();
    for (const Tensor& slope : rows_of_jacobian(x, b)) EXPECT_NEAR(slope.item<double>(), 0.0, 1e-9);
  }
}

TEST(Minimize, FindsBealesMinimumAndItsDerivatives) {
  for (const Minimizer& solver : minimizers()) {
    const Tensor data = leaf({1.5, 2.25, 2.625});
    const auto f = [&](const Tensor& x) {
      Tensor sum = torch::zeros_like(column(x, 0));
      for (int i = 0; i < 3; ++i)
        sum = sum + (data[i] - column(x, 0) * (1 - column(x, 1).pow(i + 1))).square();
      return sum;
    };
    const auto [x, stats] = minimize(f, vector({1.0, 0.8}).view({1, 2}), {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(x, vector({3.0, 0.5}).view({1, 2}), 1e-9)) << solver.name();
    const Tensor jacobian = torch::stack(rows_of_jacobian(x, data), 1);
    const Tensor expected = vector({-1.5238095238095, -.50793650793651, .038095238095238, -.12063492063492,
                                    1.9809523809524, .39365079365079})
                                .view({3, 2});
    EXPECT_TRUE(close(jacobian, expected, 1e-8)) << solver.name();
  }
}

TEST(Minimize, GivesHypergradientsOfRidgeRegression) {
  const Tensor X = vector({1, 0, 1, 1, 1, 2, 1, 3}).view({4, 2});
  const Tensor y = vector({1, 3, 2, 5});
  const Tensor other = vector({1, 4, 1, 5}).view({2, 2});
  for (const Minimizer& solver : minimizers()) {
    const Tensor penalty = leaf({0.5}, {});
    const auto f = [&](const Tensor& theta) {
      return .5 * (theta.matmul(X.t()) - y).square().sum(1) + .5 * penalty * theta.square().sum(1);
    };
    const auto [theta, stats] = minimize(f, zeros({1, 2}), {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(theta, vector({110.0 / 117, 44.0 / 39}).view({1, 2}), 1e-10));
    const auto slopes = rows_of_jacobian(theta, penalty);
    EXPECT_NEAR(slopes[0].item<double>(), -3212.0 / 13689, 1e-10);
    EXPECT_NEAR(slopes[1].item<double>(), 88.0 / 4563, 1e-10);
    const Tensor loss = .5 * (theta.matmul(other.t()) - vector({5, 7})).square().sum();
    EXPECT_NEAR(loss.item<double>(), 2605.0 / 13689, 1e-10);
    const Tensor first = gradients(loss, {penalty}, true)[0];
    EXPECT_NEAR(first.item<double>(), -21560.0 / 1601613, 1e-10);
    EXPECT_NEAR(gradients(first, {penalty})[0].item<double>(), 5056832.0 / 62462907, 1e-9);
  }
}

TEST(Minimize, NewtonTakesItsFullSteps) {
  const std::vector<double> iterates{16.0 / 11,           8192.0 / 7117,       1.02532592897669796,
                                     1.00090845194305134, 1.00000123530894529, 1.00000000000228898};
  for (std::size_t k = 0; k < iterates.size(); ++k) {
    const auto [x, stats] = minimize(double_well, vector({2.0}).view({1, 1}),
                                     {.solver = optim::Newton{},
                                      .tolerance = {.relative = 0.0, .absolute = 0.0},
                                      .max_iterations = static_cast<std::int64_t>(k) + 1,
                                      .on_failure = OnFailure::Ignore});
    EXPECT_NEAR(x.item<double>(), iterates[k], 1e-15 * 10) << k;
    EXPECT_EQ(stats.iterations[0], static_cast<std::int64_t>(k) + 1);
  }
}

TEST(Minimize, HasExactDerivatives) {
  torch::manual_seed(1);
  for (const Minimizer& solver : minimizers()) {
    const Layer layer = [&](const Solve&, const std::vector<Tensor>& in) {
      MinimizeOptions choice{.solver = solver};
      if (in[0].scalar_type() == torch::kDouble) choice.tolerance = {.relative = 1e-14, .absolute = 1e-14};
      return minimize(Well{in[1], in[0]}, torch::zeros_like(in[0]), choice).value;
    };
    check_layer(layer, {per_sample(normal({4, 5})), shared(.5 * normal({5, 3}))},
                {.variants = {exact_variants().front()}});
  }
}

// x³ + x = p, whose derivatives are known.
TEST(Minimize, HasAThirdDerivative) {
  const Tensor p = leaf({0.7}, {});
  const auto f = [&](const Tensor& x) { return (.25 * x.pow(4) + .5 * x.square() - p * x).sum(1); };
  for (const Structure structure : {Structure::Symmetric, Structure::PositiveDefinite, Structure::General}) {
    const Tensor x = minimize(f, zeros({1, 1}), {.solver = optim::Newton{}, .structure = structure}).value;
    const Tensor first = gradients(x.sum(), {p}, true)[0];
    const Tensor second = gradients(first, {p}, true)[0];
    const Tensor third = gradients(second, {p})[0];
    const double root = x.item<double>();
    const double curvature = 3 * root * root + 1;
    EXPECT_NEAR(first.item<double>(), 1 / curvature, 1e-10);
    EXPECT_NEAR(second.item<double>(), -6 * root / std::pow(curvature, 3), 1e-9);
    EXPECT_NEAR(third.item<double>(), (108 * root * root - 6 * curvature) / std::pow(curvature, 5), 1e-8);
  }
}

TEST(Minimize, TakesNoSaddleOrMaximumForAMinimum) {
  const auto saddle = [](const Tensor& x) {
    return column(x, 0).square() - column(x, 1).square() + .25 * column(x, 1).pow(4);
  };
  for (const Minimizer& solver : minimizers()) {
    const auto top = minimize(double_well, zeros({2, 3}), {.solver = solver});
    EXPECT_TRUE(top.stats.converged()) << top.stats.full();
    EXPECT_TRUE(close(top.value.abs(), torch::ones_like(top.value), 1e-9)) << solver.name() << top.value;
    const Tensor x0 = vector({0.0, 0.0, 1.0, 0.0, 1.0, 1e-3}).view({3, 2});
    const auto [x, stats] = minimize(saddle, x0, {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(column(x, 0), zeros({3}), 1e-9)) << solver.name() << x;
    EXPECT_TRUE(close(column(x, 1).abs(), std::sqrt(2.0) * torch::ones_like(column(x, 1)), 1e-9))
        << solver.name();
  }
}

TEST(Minimize, FreezesFinishedSamples) {
  torch::manual_seed(2);
  const Tensor far = vector({3.0, -7.0, 50.0}).view({3, 1}) * torch::ones({1, 2}, options());
  for (const Minimizer& solver : minimizers()) {
    const auto run = [&](const Tensor& x0) {
      return minimize([](const Tensor& x) { return torch::log1p(x.pow(2)).sum(1) + .1 * x.pow(4).sum(1); },
                      x0, {.solver = solver});
    };
    Tensor start = far.clone();
    const auto one = run(start);
    start[2].fill_(1e4);
    const auto two = run(start);
    EXPECT_TRUE(one.stats.converged() && two.stats.converged()) << two.stats.full();
    EXPECT_TRUE(identical(one.value.slice(0, 0, 2), two.value.slice(0, 0, 2))) << solver.name();
    EXPECT_EQ(one.stats.iterations[0], two.stats.iterations[0]);
  }
}

TEST(Minimize, SaysWhatASampleCameTo) {
  const auto f = [](const Tensor& x) {
    const Tensor rows = x.select(1, 0);
    return torch::stack(
        {rows[0].square(), -rows[1], rows[2].log() + rows[2].square(), rows[3].abs() + .5 * rows[3]});
  };
  const Tensor x0 = vector({2.0, 1.0, -1.0, 0.3}).view({4, 1});
  for (const Minimizer& solver : minimizers()) {
    const auto [x, stats] =
        minimize(f, x0, {.solver = solver, .max_iterations = 1000, .on_failure = OnFailure::Ignore});
    EXPECT_EQ(stats.status[0], Status::Converged) << stats.full();
    EXPECT_EQ(stats.status[1], Status::Unbounded) << stats.full();
    EXPECT_EQ(stats.status[2], Status::NonFinite) << stats.full();
    EXPECT_EQ(stats.status[3], Status::Stalled) << stats.full();  // at a kink
    EXPECT_EQ(x[2].item<double>(), -1.0);
    EXPECT_NEAR(x[0].item<double>(), 0.0, 1e-9);
  }
  const auto none = minimize(f, x0, {.max_iterations = 0, .on_failure = OnFailure::Ignore});
  EXPECT_TRUE(identical(none.value, x0));
  EXPECT_EQ(none.stats.status[0], Status::MaxIterations);
  expect_error([&] { minimize(f, x0, {.on_failure = OnFailure::Throw}); }, "add bounds or a penalty");
}

TEST(Minimize, DoesNotDependOnUnits) {
  torch::manual_seed(3);
  const Well well{normal({4, 4}), normal({3, 4})};
  const Tensor right = minimize(well, zeros({3, 4})).value;
  for (const Minimizer& solver : minimizers()) {
    for (const double unit : {1e-8, 1e8}) {
      for (const double length : {1e-6, 1e6}) {
        const auto f = [&](const Tensor& x) { return unit * well(x / length); };
        const auto [x, stats] =
            minimize(f, zeros({3, 4}), {.solver = solver, .tolerance = {.absolute = 0.0}});
        EXPECT_TRUE(stats.converged()) << stats.full();
        EXPECT_TRUE(close(x / length, right, 1e-9)) << solver.name() << unit << length;
      }
    }
  }
}

TEST(Minimize, ReachesToleranceWhereTheValueCancels) {
  for (const Minimizer& solver : minimizers()) {
    const auto f = [](const Tensor& x) { return double_well(x) + 1e3; };
    const auto [x, stats] = minimize(f, vector({2.0, 0.3}).view({2, 1}), {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(x.abs(), torch::ones_like(x), 1e-9)) << solver.name();
  }
}

// The chained function of Rosenbrock for a hundred unknowns, wider than what is written out unasked, and with
// a quarter of them held by a bound.
TEST(Minimize, TakesWideSamples) {
  const auto f = [](const Tensor& x) {
    const Tensor even = x.slice(1, 0, 100, 2);
    const Tensor odd = x.slice(1, 1, 100, 2);
    return ((1 - even).square() + 100 * (odd - even.square()).square()).sum(1);
  };
  const Tensor x0 = vector({-1.2, 1.0}).repeat({2, 50}) * vector({1.0, 0.7}).view({2, 1});
  const Tensor upper = torch::full({100}, kInfinity, options());
  upper.slice(0, 0, 100, 4).fill_(0.5);
  Tensor held = torch::ones({2, 100}, options());
  held.slice(1, 0, 100, 4).fill_(0.5);
  held.slice(1, 1, 100, 4).fill_(0.25);
  MinimizeOptions choice{.tolerance = {.relative = 1e-13}, .max_iterations = 5000};
  for (const Minimizer& solver : minimizers()) {
    choice.solver = solver;
    const auto [x, stats] = minimize(f, x0, choice);
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(x, torch::ones_like(x), 1e-8)) << solver.name();
  }
  choice.upper = upper;
  for (const Minimizer& solver : bounded_minimizers()) {
    choice.solver = solver;
    const auto [x, stats] = minimize(f, x0, choice);
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(x, held, 1e-8)) << solver.name();
  }
}

// The objective reads a fixed point: x = argmin ½‖z(x) − a‖² + ½‖x‖² with z = ½ tanh(z) + x.
TEST(Minimize, GoesThroughOtherLayers) {
  const Tensor a = leaf({0.3, -0.8}, {1, 2});
  const auto solved = [&](const Tensor& target, const Minimizer& solver) {
    const auto f = [=](const Tensor& x) {
      const Tensor z =
          fixed_point([=](const Tensor& s) { return .5 * s.tanh() + x; }, torch::zeros_like(x)).value;
      return .5 * (z - target).square().sum(1) + .5 * x.square().sum(1);
    };
    return minimize(f, zeros({1, 2}), {.solver = solver}).value;
  };
  for (const Minimizer& solver : {Minimizer(optim::Lbfgs{}), Minimizer(optim::Newton{})}) {
    const Tensor slope = gradients(solved(a, solver).sum(), {a})[0];
    constexpr double h = 1e-4;
    const Tensor direction = torch::ones_like(a);
    const at::NoGradGuard no_grad;
    const Tensor difference =
        (solved(a + h * direction, solver) - solved(a - h * direction, solver)) / (2 * h);
    EXPECT_TRUE(close(slope.sum(), difference.sum(), 1e-5)) << solver.name();
  }
}

TEST(Minimize, TakesFloatAndMatrices) {
  torch::manual_seed(4);
  const Tensor p = normal({2, 3, 4}).to(torch::kFloat);
  const auto f = [&](const Tensor& x) { return (.5 * x.square() + .25 * x.pow(4) - p * x).sum({1, 2}); };
  for (const Minimizer& solver : minimizers()) {
    const auto [x, stats] = minimize(f, torch::zeros_like(p), {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_EQ(x.scalar_type(), torch::kFloat);
    EXPECT_TRUE(close(x + x.pow(3), p, 1e-4));
  }
  const auto one = minimize([](const Tensor& x) { return x.square().sum(); }, torch::ones({1, 3}, options()));
  EXPECT_TRUE(one.stats.converged());
}

// min ½z² + az − 1 within 0 ≤ z ≤ 1.
TEST(Minimize, KeepsBounds) {
  for (const Minimizer& solver : bounded_minimizers()) {
    const Tensor a = leaf({-0.5, 1.0, -3.0}, {3, 1});
    const Tensor lower = leaf({0.0}, {1});
    const Tensor upper = leaf({1.0}, {1});
    const auto f = [&](const Tensor& z) { return (.5 * z.square() + a * z - 1).sum(1); };
    const auto [z, stats] =
        minimize(f, .7 * torch::ones({3, 1}, options()), {.solver = solver, .lower = lower, .upper = upper});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(z, vector({0.5, 0.0, 1.0}).view({3, 1}), 1e-10)) << solver.name();
    const auto slopes = gradients(z.sum(), {a, lower, upper}, true);
    EXPECT_TRUE(close(slopes[0], vector({-1.0, 0.0, 0.0}).view({3, 1}), 1e-10));
    EXPECT_TRUE(close(slopes[1], vector({1.0}), 1e-10));
    EXPECT_TRUE(close(slopes[2], vector({1.0}), 1e-10));
    const auto values = gradients(f(z).sum(), {a});
    EXPECT_TRUE(close(values[0], vector({0.5, 0.0, 1.0}).view({3, 1}), 1e-10));
  }
}

TEST(Minimize, AgreesWithProgramsThatHaveBounds) {
  torch::manual_seed(5);
  const Tensor root = normal({6, 6});
  const auto data = [&] {
    torch::manual_seed(6);
    return std::vector<Tensor>{(root.matmul(root.t()) + .1 * torch::eye(6, options())).requires_grad_(),
                               (3 * normal({5, 6})).requires_grad_(),
                               (-.3 * torch::ones({6}, options())).requires_grad_(),
                               (.5 * torch::ones({5, 6}, options())).requires_grad_()};
  };
  const Tensor weight = normal({5, 6});
  const auto two = data();
  const auto program = quadratic_program({.Q = two[0], .p = two[1], .lower = two[2], .upper = two[3]});
  const auto expected = gradients((weight * program.x.square()).sum(), two, true);
  for (const Minimizer& solver : bounded_minimizers()) {
    const auto one = data();
    const auto f = [&](const Tensor& x) { return .5 * (x.matmul(one[0]) * x).sum(1) + (one[1] * x).sum(1); };
    const auto [x, stats] = minimize(
        f, zeros({5, 6}), {.solver = solver, .max_iterations = 5000, .lower = one[2], .upper = one[3]});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(x, program.x, 1e-8)) << solver.name();
    EXPECT_TRUE((x >= one[2]).logical_and(x <= one[3]).all().item<bool>());
    const auto got = gradients((weight * x.square()).sum(), one, true);
    for (int i = 1; i < 4; ++i) EXPECT_TRUE(close(got[i], expected[i], 1e-7)) << solver.name() << i;
    EXPECT_TRUE(close(got[0] + got[0].t(), expected[0] + expected[0].t(), 1e-7)) << solver.name();
    const auto second = gradients(got[1].square().sum(), {one[1], one[3]});
    const auto right = gradients(expected[1].square().sum(), {two[1], two[3]});
    EXPECT_TRUE(close(second[0], right[0], 1e-6)) << solver.name();
    EXPECT_TRUE(close(second[1], right[1], 1e-6)) << solver.name();
  }
}

TEST(Minimize, NamesWhatDoesNotFit) {
  const auto f = [](const Tensor& x) { return x.square().sum(1); };
  const Tensor x0 = zeros({2, 3});
  expect_error([&] { minimize(Objective(), x0); }, "f: expected a function");
  expect_error([&] { minimize(f, Tensor()); }, "x0: expected a tensor [B, …]");
  expect_error([&] { minimize(f, x0.to(torch::kHalf)); }, "x0: expected float or double");
  expect_error([&] { minimize([](const Tensor& x) { return x.square().sum(); }, x0); },
               "f: expected one number for each sample, shape [2], got shape []");
  expect_error([&] { minimize([](const Tensor& x) { return x.sum(1).to(torch::kFloat); }, x0); },
               "f: expected Double");
  expect_error([&] { minimize([](const Tensor&) { return Tensor(); }, x0); }, "f: expected one number");
  expect_error([&] { minimize(f, x0, {.max_iterations = -1}); }, "max_iterations: expected ≥ 0");
  expect_error([&] { minimize(f, x0, {.solver = optim::Lbfgs{.memory = 0}}); }, "Lbfgs.memory: expected ≥ 1");
  expect_error([&] { minimize(f, x0, {.solver = optim::NewtonCg{.max_products = 0}}); },
               "NewtonCg.max_products: expected ≥ 1");
  expect_error([&] { minimize(f, x0, {.lower = zeros({2})}); }, "lower: expected a shape that broadcasts");
  expect_error([&] { minimize(f, x0, {.upper = zeros({3}).to(torch::kFloat)}); }, "upper: expected Double");
  expect_error([&] { minimize(f, x0, {.lower = zeros({3}), .upper = zeros({3}) - 1}); },
               "lower: expected lower ≤ upper");
  expect_error([&] { minimize(f, x0, {.solver = optim::NonlinearCg{}, .lower = zeros({3})}); },
               "solver: expected one that takes bounds");
  const auto empty = minimize(f, zeros({0, 3}));
  EXPECT_TRUE(empty.stats.converged());
  const Tensor still = minimize([](const Tensor& x) { return torch::zeros_like(x).sum(1); }, x0).value;
  EXPECT_TRUE(identical(still, x0));
}

TEST(Minimize, RecordsNothingWithoutGradients) {
  const Tensor p = leaf({1.0, 2.0}, {1, 2});
  const auto f = [&](const Tensor& x) { return (x - p).square().sum(1); };
  const at::NoGradGuard no_grad;
  const Tensor x0 = zeros({1, 2});
  const auto [x, stats] = minimize(f, x0);
  EXPECT_TRUE(stats.converged());
  EXPECT_FALSE(x.requires_grad());
  EXPECT_TRUE(close(x, p, 1e-10));
}

}  // namespace
}  // namespace stillpoint::test
