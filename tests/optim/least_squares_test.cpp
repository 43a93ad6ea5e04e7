// Least squares: known minima, what a sample can come to, robust losses, and bounds.
#include <gtest/gtest.h>

#include <ATen/core/grad_mode.h>

#include <cmath>

#include "optim/fits.h"
#include "support/more_garbow_hillstrom.h"

namespace stillpoint::test {
namespace {

Tensor part(const Tensor& x, std::int64_t i) { return x.slice(1, i, i + 1); }

// Rosenbrock's function as two residuals.
Tensor valley(const Tensor& x) {
  return torch::cat({10 * (part(x, 1) - part(x, 0).square()), 1 - part(x, 0)}, 1);
}

double cost_of(const Map& residual, const Tensor& x) {
  return .5 * residual(x).square().sum().item<double>();
}

TEST(LeastSquares, FitsACurveWithLargeUnitsBesideSmallOnes) {
  const Saturation residual = misra1a();
  const Tensor starts = vector({500, .0001, 250, .0005}).view({2, 2});
  const Tensor certified = vector({238.9421291788617, .0005501564318059136}).expand({2, 2});
  for (const auto& solver : least_squares_solvers()) {
    const auto [b, stats] = least_squares(residual, starts, {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(b / certified, torch::ones_like(b), 1e-9)) << solver.name();
    EXPECT_NEAR(2 * cost_of(residual, b.slice(0, 0, 1)), .1245513889444055, 1e-12);
  }
}

TEST(LeastSquares, FindsBealesMinimumAndItsDerivatives) {
  for (const auto& solver : least_squares_solvers()) {
    const Tensor data = leaf({1.5, 2.25, 2.625});
    const auto residual = [&](const Tensor& x) {
      std::vector<Tensor> all;
      for (int i = 0; i < 3; ++i) all.push_back(data[i] - part(x, 0) * (1 - part(x, 1).pow(i + 1)));
      return torch::cat(all, 1);
    };
    const auto [x, stats] = least_squares(residual, row({1.0, 0.8}), {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(x, row({3.0, 0.5}), 1e-10)) << solver.name();
    const Tensor expected = vector({-1.5238095238095, -.50793650793651, .038095238095238, -.12063492063492,
                                    1.9809523809524, .39365079365079})
                                .view({3, 2});
    EXPECT_TRUE(close(torch::stack(slopes_of(x, data), 1), expected, 1e-10)) << solver.name();
  }
}

// A minimum at zero whose residuals bend the cost: its second derivative is 2 − 2 bend there, and 2 in the
// model of Gauss and Newton.
TEST(LeastSquares, ConvergesWhereResidualsAreLarge) {
  const Tensor bend = vector({.2, .4, .8, -5.0}).view({4, 1});
  const auto residual = [&](const Tensor& x) { return torch::cat({x + 1, bend * x.square() + x - 1}, 1); };
  for (const auto& solver : least_squares_solvers()) {
    const auto [x, stats] = least_squares(residual, .1 * torch::ones({4, 1}, options()), {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(x, zeros({4, 1}), 1e-9)) << solver.name() << x;
  }
}

TEST(LeastSquares, TakesNoSaddleOrMaximumForAMinimum) {
  const auto well = [](const Tensor& x) { return x.square() - 1; };
  const Tensor starts = vector({0.0, 0.0, 1.0, 0.0, 0.0, -2.0}).view({3, 2});
  for (const auto& solver : least_squares_solvers()) {
    const auto [x, stats] = least_squares(well, starts, {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(x.abs(), torch::ones_like(x), 1e-10)) << solver.name() << x;
  }
  // A maximum where J is not zero.
  const auto flat = [](const Tensor& x) { return torch::cat({x.square() - 3, .5 * x}, 1); };
  const auto [x, stats] = least_squares(flat, zeros({1, 1}));
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_NEAR(std::abs(x.item<double>()), std::sqrt(3 - .125), 1e-10);
}

TEST(LeastSquares, SaysWhatASampleCameTo) {
  const auto residual = [](const Tensor& x) {
    const Tensor rows = x.select(1, 0);
    return torch::stack({rows[0] - 3, torch::exp(-rows[1]) + 1, rows[2].log(), 2 + (rows[3] - 1).abs()})
        .unsqueeze(1);
  };
  const Tensor x0 = vector({2.0, 1.0, -1.0, 0.3}).view({4, 1});
  for (const auto& solver : least_squares_solvers()) {
    const auto [x, stats] = least_squares(
        residual, x0, {.solver = solver, .max_iterations = 3000, .on_failure = OnFailure::Ignore});
    EXPECT_EQ(stats.status[0], Status::Converged) << stats.full();
    EXPECT_NE(stats.status[1], Status::Converged) << stats.full() << x;  // runs away
    EXPECT_EQ(stats.status[2], Status::NonFinite) << stats.full();
    EXPECT_EQ(stats.status[3], Status::Stalled) << stats.full();  // at a kink
    EXPECT_EQ(x[2].item<double>(), -1.0);
    EXPECT_NEAR(x[0].item<double>(), 3.0, 1e-12);
  }
  const auto none = least_squares(residual, x0, {.max_iterations = 0, .on_failure = OnFailure::Ignore});
  EXPECT_TRUE(identical(none.value, x0));
  EXPECT_EQ(none.stats.status[0], Status::MaxIterations);
  const auto late = least_squares(residual, x0, {.time_limit = 0.0, .on_failure = OnFailure::Ignore});
  EXPECT_EQ(late.stats.status[0], Status::TimeLimit);
  expect_error([&] { least_squares(residual, x0, {.on_failure = OnFailure::Throw}); },
               "start where the residual");
}

// So far off that the loss gives every residual the weight zero.
TEST(LeastSquares, TakesNoPlateauOfALossForASolution) {
  for (const auto& solver : least_squares_solvers()) {
    const auto [x, stats] = least_squares(
        [](const Tensor& at) { return at - 100; }, zeros({1, 1}),
        {.solver = solver, .loss = optim::Tukey{.scale = 1.0}, .on_failure = OnFailure::Ignore});
    EXPECT_EQ(stats.status[0], Status::Stalled) << stats.full();
  }
}

// One exponential runs away until no residual depends on it, in float soon.
TEST(LeastSquares, TakesNoRunawayForASolution) {
  const Tensor t = torch::arange(1, 9, options(torch::kFloat));
  const auto residual = [&](const Tensor& x) { return 1 + torch::exp(-x * t); };
  for (const auto& solver : least_squares_solvers()) {
    const auto [x, stats] = least_squares(residual, torch::ones({1, 1}, options(torch::kFloat)),
                                          {.solver = solver, .on_failure = OnFailure::Ignore});
    EXPECT_FALSE(stats.converged()) << solver.name() << x;
  }
}

TEST(LeastSquares, TakesDependentUnknowns) {
  // Only the sum of the first two matters, and the third not at all.
  const auto residual = [](const Tensor& x) {
    const Tensor sum = part(x, 0) + part(x, 1);
    return torch::cat({sum - 2, sum.square() - 4, .1 * sum - .2}, 1);
  };
  for (const auto& solver : least_squares_solvers()) {
    const auto [x, stats] = least_squares(residual, row({1.0, 3.0, 7.0}), {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_NEAR((x[0][0] + x[0][1]).item<double>(), 2.0, 1e-10) << solver.name();
    EXPECT_EQ(x[0][2].item<double>(), 7.0);
  }
  // Fewer residuals than unknowns.
  const auto few = [](const Tensor& x) { return (x.square().sum(1) - 4).unsqueeze(1); };
  for (const auto& solver : least_squares_solvers()) {
    const auto [x, stats] = least_squares(few, row({1.0, 3.0, 7.0}), {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_NEAR(x.norm().item<double>(), 2.0, 1e-10);
  }
}

TEST(LeastSquares, DoesNotDependOnUnits) {
  const Saturation residual = misra1a();
  const Tensor start = row({250, .0005});
  for (const auto& solver : least_squares_solvers()) {
    const auto right = least_squares(residual, start, {.solver = solver, .tolerance = {.absolute = 0.0}});
    for (const double unit : {0x1p-30, 0x1p-400, 0x1p40}) {
      const Tensor units = vector({0x1p20, 0x1p-30});
      const auto [x, stats] =
          least_squares([&](const Tensor& z) { return unit * residual(z / units); }, start * units,
                        {.solver = solver, .tolerance = {.absolute = 0.0}});
      EXPECT_TRUE(identical(x / units, right.value)) << solver.name() << unit;
      EXPECT_EQ(stats.iterations, right.stats.iterations);
    }
  }
}

TEST(LeastSquares, FreezesFinishedSamples) {
  const Tensor start = vector({-1.2, 1.0, 3.0, -4.0, .9, .8}).view({3, 2});
  for (const auto& solver : least_squares_solvers()) {
    const auto one = least_squares(valley, start, {.solver = solver});
    Tensor other = start.clone();
    other[2].fill_(40.0);
    const auto two = least_squares(valley, other, {.solver = solver});
    other[2].fill_(std::nan(""));
    const auto three = least_squares(valley, other, {.solver = solver, .on_failure = OnFailure::Ignore});
    EXPECT_TRUE(one.stats.converged() && two.stats.converged()) << two.stats.full();
    EXPECT_EQ(three.stats.status[2], Status::NonFinite);
    for (const auto* run : {&two, &three}) {
      EXPECT_TRUE(identical(one.value.slice(0, 0, 2), run->value.slice(0, 0, 2))) << solver.name();
      EXPECT_EQ(one.stats.iterations[0], run->stats.iterations[0]);
    }
    for (std::int64_t b = 0; b < 3; ++b) {
      const auto alone = least_squares(valley, start.slice(0, b, b + 1), {.solver = solver});
      EXPECT_TRUE(identical(alone.value, one.value.slice(0, b, b + 1))) << solver.name() << b;
    }
  }
}

// What is said to have converged has to be a minimum by the derivatives of the cost.
TEST(LeastSquares, KeepsItsWordOnTheSystemsOfMoreGarbowAndHillstrom) {
  int solved = 0;
  int count = 0;
  for (const NonlinearSystem& system : more_garbow_hillstrom()) {
    for (const double factor : {1.0, 10.0}) {
      for (const auto& solver : least_squares_solvers()) {
        const auto [x, stats] =
            least_squares(system.residual, factor * system.start,
                          {.solver = solver, .max_iterations = 500, .on_failure = OnFailure::Ignore});
        ++count;
        if (!stats.converged()) continue;
        ++solved;
        const auto cost = [&](const Tensor& z) { return .5 * system.residual(z).square().sum(); };
        const Tensor at = x.detach().requires_grad_();
        const Tensor slope = gradients(cost(at), {at})[0].flatten();
        const Tensor second = hessian(cost, at).view({slope.size(0), slope.size(0)});
        const Tensor columns = jacobian(system.residual, at).norm(2, 0);
        const Tensor scale = torch::maximum(columns, second.diagonal().abs().sqrt());
        const Tensor scaled = second / scale / scale.unsqueeze(1);
        EXPECT_GE(torch::linalg_eigvalsh(scaled).min().item<double>(), -1e-9) << system.name << solver.name();
        if (cost(x).item<double>() < 1e-20) continue;  // a root
        const Tensor step = torch::linalg_pinv(scaled, 1e-12).mv(slope / scale);
        EXPECT_LE(step.norm().item<double>(), 1e-9 * (scale * x.flatten()).norm().item<double>())
            << system.name << solver.name() << factor;
      }
    }
  }
  EXPECT_GE(solved, count * 3 / 4) << solved << " of " << count;
}

TEST(LeastSquares, TakesFloatListsAndSeveralDimensions) {
  torch::manual_seed(1);
  const Tensor target = normal({2, 3, 4}).to(torch::kFloat);
  for (const auto& solver : least_squares_solvers()) {
    const auto cubic = [&](const Tensor& x) { return x + x.pow(3) - target; };
    const auto [x, stats] = least_squares(cubic, torch::zeros_like(target), {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_EQ(x.scalar_type(), torch::kFloat);
    EXPECT_TRUE(close(x + x.pow(3), target, 1e-5));
  }
  const auto apart = [](const std::vector<Tensor>& x) {
    return torch::cat({10 * (x[1] - x[0].square()), 1 - x[0]}, 1);
  };
  const auto both = least_squares(apart, {-1.2 * torch::ones({2, 1}, options()), zeros({2, 1})});
  EXPECT_TRUE(both.stats.converged());
  for (const Tensor& one : both.value) EXPECT_TRUE(close(one, torch::ones_like(one), 1e-10));
}

TEST(LeastSquares, LeavesFinishedSamplesOut) {
  const Tensor steepness = leaf({1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 100.0}, {8, 1});
  const auto f = [](const Tensor& x, const std::vector<Tensor>& in) {
    return torch::cat({in[0] * (part(x, 1) - part(x, 0).square()), 1.1 - part(x, 0), .1 * part(x, 1)}, 1);
  };
  const Tensor start = vector({-1.2, 1.0}).expand({8, 2});
  for (const auto& solver : least_squares_solvers()) {
    const auto whole =
        least_squares([&](const Tensor& x) { return f(x, {steepness}); }, start, {.solver = solver});
    const auto some = least_squares({f, {steepness}}, start, {.solver = solver});
    EXPECT_TRUE(some.stats.converged());
    EXPECT_TRUE(close(some.value, whole.value, 1e-10)) << solver.name();
    EXPECT_LT(some.stats.sample_evaluations, whole.stats.sample_evaluations / 2) << some.stats.full();
    EXPECT_TRUE(close(gradients(some.value.sum(), {steepness})[0],
                      gradients(whole.value.sum(), {steepness})[0], 1e-8));
  }
  const auto mixed = [](const Tensor& x, const std::vector<Tensor>& in) {
    return in[0] * (x + .1 * x.square()) * (1 + x.abs().mean(0));
  };
  expect_error(
      [&] {
        least_squares({mixed, {steepness}}, vector({0, 0, 0, 0, 0, 0, 0, 9}).view({8, 1}));
      },
      "residual: expected one whose samples do not depend");
  expect_error(
      [&] {
        least_squares({f, {zeros({3, 1})}}, start);
      },
      "inputs: expected tensors [B, …] with B = 8");
}

TEST(LeastSquares, CountsOutliersByTheirLoss) {
  // Locations of points of which one is off: minima are known for one unknown.
  const Tensor data = vector({1.0, 1.2, 0.8, 1.1, 9.0});
  const auto residual = [&](const Tensor& x) { return x - data; };
  const std::vector<RobustLoss> losses{optim::Squared{}, optim::Huber{.5}, optim::SoftL1{.5},
                                       optim::Cauchy{.5}, optim::Tukey{2.0}};
  for (const auto& loss : losses) {
    for (const auto& solver : least_squares_solvers()) {
      const auto [x, stats] = least_squares(residual, row({1.3}), {.solver = solver, .loss = loss});
      EXPECT_TRUE(stats.converged()) << stats.full();
      // As `minimize` has it, which knows nothing of residuals.
      const auto right =
          minimize([&](const Tensor& z) { return .5 * loss((z - data).square()).sum(1); }, row({1.3}));
      EXPECT_TRUE(close(x, right.value, 1e-8)) << loss.name() << solver.name();
    }
  }
  // 4 (x − 1.025) = .5 for Huber's.
  EXPECT_NEAR(least_squares(residual, row({1.3}), {.loss = losses[1]}).value.item<double>(), 1.15, 1e-10);
  // Tukey's leaves the outlier out altogether.
  EXPECT_NEAR(least_squares(residual, row({1.3}), {.loss = losses[4]}).value.item<double>(), 1.025, 1e-3);
}

TEST(LeastSquares, SharesALossInABlock) {
  // Points in the plane with one outlier: the loss of a distance is that of no coordinate.
  const Tensor points = vector({0, 0, 1, 0, 0, 1, 8, 6}).view({4, 2});
  const auto residual = [&](const Tensor& x) { return x.unsqueeze(1) - points; };
  const auto cost = [&](const Tensor& x) {
    return optim::Huber{1.0}((x.unsqueeze(1) - points).square().sum(2)).sum(1);
  };
  const auto right = minimize(cost, row({.5, .5}));
  for (const auto& solver : least_squares_solvers()) {
    const auto [x, stats] =
        least_squares(residual, row({.5, .5}), {.solver = solver, .loss = optim::Huber{1.0}, .block = 2});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(x, right.value, 1e-8)) << solver.name();
  }
}

TEST(LeastSquares, KeepsBounds) {
  const Tensor upper = leaf({0.5, kInfinity}, {2});
  const Tensor lower = leaf({-kInfinity, 0.3}, {2});
  for (const auto& solver : least_squares_solvers()) {
    const auto [x, stats] = least_squares(valley, vector({.9, 1.0, .2, .5}).view({2, 2}),
                                          {.solver = solver, .lower = lower, .upper = upper});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE((x <= upper).logical_and(x >= lower).all().item<bool>());
    // Both hold: (x₂ − x₁²)² is least at .3, and (1 − x₁)² at .5.
    const auto right =
        minimize([](const Tensor& z) { return .5 * valley(z).square().sum(1); },
                 vector({.9, 1.0, .2, .5}).view({2, 2}), {.lower = lower.detach(), .upper = upper.detach()});
    EXPECT_TRUE(close(x, right.value, 1e-9)) << solver.name() << x;
    const auto slopes = gradients(x.select(1, 0).sum(), {lower, upper});
    const auto expected =
        gradients(minimize([](const Tensor& z) { return .5 * valley(z).square().sum(1); },
                           vector({.9, 1.0, .2, .5}).view({2, 2}), {.lower = lower, .upper = upper})
                      .value.select(1, 0)
                      .sum(),
                  {lower, upper});
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(close(slopes[i], expected[i], 1e-8)) << solver.name();
  }
}

TEST(LeastSquares, NamesWhatDoesNotFit) {
  const auto r = [](const Tensor& x) { return x - 1; };
  const Tensor x0 = zeros({2, 3});
  expect_error([&] { least_squares(Map(), x0); }, "residual: expected a function");
  expect_error([&] { least_squares(r, Tensor()); }, "x0: expected a tensor [B, …]");
  expect_error([&] { least_squares(r, x0.to(torch::kHalf)); }, "x0: expected float or double");
  expect_error([&] { least_squares([](const Tensor& x) { return x.sum(); }, x0); },
               "residual: expected some numbers for each of 2 samples");
  expect_error([&] { least_squares([](const Tensor& x) { return x.to(torch::kFloat); }, x0); },
               "residual: expected Double");
  expect_error([&] { least_squares([](const Tensor&) { return Tensor(); }, x0); },
               "residual: expected a tensor [B, M…], got an undefined one");
  expect_error([&] { least_squares([](const Tensor& x) { return x.detach().add_(1); }, x0); },
               "edited it in place");
  expect_error([&] { least_squares(r, x0, {.max_iterations = -1}); }, "max_iterations: expected ≥ 0");
  expect_error([&] { least_squares(r, x0, {.time_limit = -1.0}); }, "time_limit: expected ≥ 0");
  expect_error([&] { least_squares(r, x0, {.loss = optim::Huber{}, .block = 2}); },
               "block: expected a divisor of the 3 residuals");
  expect_error([&] { least_squares(r, x0, {.loss = optim::Cauchy{0.0}}); }, "Cauchy.scale: expected");
  expect_error([&] { least_squares(r, x0, {.solver = optim::Dogleg{.first_radius = 0.0}}); },
               "Dogleg.first_radius: expected");
  expect_error([&] { least_squares(r, x0, {.solver = optim::LevenbergMarquardt{.first_radius = -1.0}}); },
               "LevenbergMarquardt.first_radius: expected");
  expect_error([&] { least_squares(r, x0, {.lower = zeros({2})}); }, "lower: expected a shape");
  expect_error([&] { least_squares(r, x0, {.lower = zeros({3}), .upper = zeros({3}) - 1}); },
               "lower: expected lower ≤ upper");
  EXPECT_TRUE(least_squares(r, zeros({0, 3})).stats.converged());
  const Tensor still = least_squares([](const Tensor& x) { return torch::zeros_like(x); }, x0).value;
  EXPECT_TRUE(identical(still, x0));
  const at::NoGradGuard no_grad;
  EXPECT_FALSE(least_squares([p = leaf({1.0})](const Tensor& x) { return x - p; }, x0).value.requires_grad());
}

}  // namespace
}  // namespace stillpoint::test
