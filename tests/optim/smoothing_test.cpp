// Smoothed programs, closest feasible points and warm starts.
#include <gtest/gtest.h>

#include <cmath>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

using optim::Barrier;
using optim::OnInfeasible;
using optim::ProgramStatus;
using optim::QuadraticProgram;
using optim::Ridge;

Tensor gradient_of(const Tensor& of, const Tensor& in) { return gradients(of.sum(), {in}, true)[0]; }

// max 3x1 + 5x2 with the vertex (2, 6).
QuadraticProgram vertex_program(const Tensor& p) {
  return {.p = p, .G = vector({1, 0, 0, 2, 3, 2, -1, 0, 0, -1}).view({5, 2}), .h = vector({4, 12, 18, 0, 0})};
}

TEST(Smoothing, RidgeKeepsTheVertexWhileItIsSmall) {
  const Tensor p = leaf({-3, -5});
  const auto small = quadratic_program(vertex_program(p), {.smoothing = Ridge{.1}});
  EXPECT_TRUE(close(small.x, row({2, 6}), 1e-12));
  EXPECT_TRUE(close(small.z, row({0, 19. / 15, 14. / 15, 0, 0}), 1e-12));
  const Tensor one = vector({1})[0].clone().requires_grad_();
  const auto large = quadratic_program(vertex_program(p), {.smoothing = Ridge{one}});
  EXPECT_TRUE(close(large.x, row({36. / 13, 63. / 13}), 1e-12));
  EXPECT_NEAR(large.z[0][2].item<double>(), 1. / 13, 1e-12);
  // On the one active row, x = (−p − 3z·(1, ⅔)) / ε.
  const double step = 1e-5;
  const auto value = [&](double e) {
    return quadratic_program(vertex_program(p.detach()), {.smoothing = Ridge{e}}).x.sum().item<double>();
  };
  EXPECT_NEAR(gradient_of(large.x, one).item<double>(), (value(1 + step) - value(1 - step)) / (2 * step),
              1e-8);
}

TEST(Smoothing, BarrierHasTheKnownPointsAndSlopes) {
  struct Case {
    double mu;
    std::vector<double> x, slopes;
  };
  for (const Case& known : {Case{.1,
                                 {1.9887744127571, 5.96684773406513},
                                 {-.0159787939431968, .00732107107048191, -.0109877057923923}},
                            Case{1,
                                 {1.88540437219093, 5.68129438979023},
                                 {-.141142984809609, .0626921137953559, -.0991177160351843}}}) {
    const Tensor p = leaf({-3, -5});
    const auto s = quadratic_program(vertex_program(p), {.smoothing = Barrier{known.mu}});
    ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
    EXPECT_TRUE(close(s.x, row(known.x), 1e-12));
    EXPECT_TRUE(close(s.z * s.slack, torch::full_like(s.z, known.mu), 1e-13));
    const Tensor first = gradient_of(s.x.select(1, 0), p);
    const Tensor second = gradient_of(s.x.select(1, 1), p);
    EXPECT_TRUE(close(first, vector({known.slopes[0], known.slopes[1]}), 1e-11));
    EXPECT_TRUE(close(second, vector({known.slopes[1], known.slopes[2]}), 1e-11));
  }
}

// All derivatives up to the third beside differences of those below, in all parts and in μ.
TEST(Smoothing, BarrierIsDifferentiableToAnyOrder) {
  torch::manual_seed(4);
  const std::int64_t n = 4;
  for (const bool definite : {true, false}) {
    const std::int64_t rank = definite ? n : 1;
    const Tensor direction = normal({rank * n + n + 7 * n + 7 + n + 1 + 1});
    const Tensor base = torch::cat({normal({rank * n}), normal({n}), normal({7, n}).flatten(),
                                    torch::rand({7}, torch::kDouble).to(options()) + 1, normal({n}),
                                    vector({.1}), vector({.3})});
    const auto derivative = [&](const Tensor& at_step, int order) {
      const Tensor numbers = base + at_step * direction * .1;
      std::int64_t from = 0;
      const auto next = [&](torch::IntArrayRef shape) {
        const Tensor part = numbers.narrow(0, from, c10::multiply_integers(shape)).view(shape);
        from += part.numel();
        return part;
      };
      QuadraticProgram program;
      const Tensor root = next({rank, n});
      program.Q = root.t().matmul(root);
      program.p = next({n});
      program.G = next({7, n});
      program.h = next({7});
      program.A = next({1, n});
      program.b = next({1});
      const Tensor mu = next({1})[0];
      program.lower = torch::full({n}, -3, options());
      program.upper = torch::full({n}, 4, options());
      const auto s = quadratic_program(program, {.smoothing = Barrier{mu}});
      EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
      Tensor value =
          (s.x * s.x).sum() + s.z.log().sum() + s.y.sum() + (s.lower * s.upper).sum() + s.slack.sin().sum();
      for (int i = 0; i < order; ++i) value = gradients(value, {at_step}, true)[0];
      return value;
    };
    const double step = 1e-4;
    for (int order = 1; order <= 3; ++order) {
      const Tensor here = vector({0})[0].clone().requires_grad_();
      const auto beside = [&](double t) {
        const Tensor there = vector({t})[0].clone().requires_grad_();
        return derivative(there, order - 1).item<double>();
      };
      const double difference =
          (8 * (beside(step) - beside(-step)) - (beside(2 * step) - beside(-2 * step))) / (12 * step);
      const double got = derivative(here, order).item<double>();
      EXPECT_NEAR(got, difference, 1e-7 * (1 + std::abs(difference))) << order << " " << definite;
    }
  }
}

// x + p − μ/(1 + x) + μ/(2 − x) vanishes at zero, where a step has nothing to be small beside but the sides.
TEST(Smoothing, BarrierFindsAMinimumAtZero) {
  const auto s = quadratic_program(
      {.Q = torch::eye(1, options()), .p = vector({.05}), .lower = vector({-1}), .upper = vector({2})},
      {.smoothing = Barrier{.1}});
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_NEAR(s.x.item<double>(), 0, 1e-15);
}

TEST(Smoothing, BarrierHasNoMinimumThatRunsAway) {
  const auto s = quadratic_program({.p = vector({1, 0}), .lower = zeros({2})},
                                   {.smoothing = Barrier{1e-3}, .on_failure = OnFailure::Ignore});
  EXPECT_FALSE(s.stats.optimal());
}

TEST(Smoothing, BarrierSaysWhenThereIsNoPointInside) {
  const auto s =
      quadratic_program({.p = vector({1}), .G = vector({1, -1}).view({2, 1}), .h = vector({1, -1})},
                        {.smoothing = Barrier{.1}, .on_failure = OnFailure::Ignore});
  EXPECT_FALSE(s.stats.optimal());
  const auto none =
      quadratic_program({.p = vector({1}), .G = vector({1, -1}).view({2, 1}), .h = vector({1, -2})},
                        {.smoothing = Barrier{.1}, .on_failure = OnFailure::Ignore});
  EXPECT_EQ(none.stats.status[0], ProgramStatus::Infeasible);
}

TEST(Smoothing, PerturbationsGiveALinearProgramAGradient) {
  // Over the simplex the mean of the vertices is the probability that each p is the smallest.
  const Tensor p = leaf({0, .4});
  torch::manual_seed(3);
  const auto s =
      quadratic_program({.p = p, .A = vector({1, 1}).view({1, 2}), .b = vector({1}), .lower = zeros({2})},
                        {.smoothing = optim::Perturbed{.samples = 4000, .sigma = .5}});
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  const double distance = .4 / (.5 * std::sqrt(2.0));
  const double expected = .5 * std::erfc(-distance / std::sqrt(2.0));
  EXPECT_NEAR(s.x[0][0].item<double>(), expected, .03);
  const double density = std::exp(-distance * distance / 2) / std::sqrt(2 * M_PI) / (.5 * std::sqrt(2.0));
  EXPECT_NEAR(gradient_of(s.x.select(1, 0), p)[1].item<double>(), density, .1);
}

TEST(Smoothing, NamesWhatIsOutOfRange) {
  const auto with = [](optim::Smoothing smoothing) {
    quadratic_program(vertex_program(vector({-3, -5})), {.smoothing = std::move(smoothing)});
  };
  expect_error([&] { with(Ridge{-1.}); }, "smoothing.epsilon: expected numbers > 0");
  expect_error([&] { with(Barrier{0.}); }, "smoothing.mu: expected numbers > 0");
  expect_error([&] { with(optim::Perturbed{.samples = 0}); }, "smoothing.samples");
  expect_error([&] { with(optim::Perturbed{.sigma = 0}); }, "smoothing.sigma");
}

// x1 + x2 ≤ 1, x ≥ 1: each row gives way by a third.
TEST(OnInfeasible, FindsTheClosestFeasiblePoint) {
  const Tensor h = leaf({1, -1, -1});
  const Tensor G = leaf({1, 1, -1, 0, 0, -1}, {3, 2});
  const QuadraticProgram program{.Q = torch::eye(2, options()), .G = G, .h = h};
  const QuadraticProgramOptions closest{.on_infeasible = OnInfeasible::ClosestFeasible,
                                        .on_failure = OnFailure::Ignore};
  const auto s = quadratic_program(program, closest);
  EXPECT_EQ(s.stats.status[0], ProgramStatus::Infeasible);
  EXPECT_TRUE(close(s.x, row({2. / 3, 2. / 3}), 1e-12));
  EXPECT_TRUE(close(s.slack, row({-1. / 3, -1. / 3, -1. / 3}), 1e-12));
  // x minimizes |Gx − h|².
  const Tensor g = gradients(s.x.square().sum(), {h}, true)[0];
  const Tensor expected = torch::linalg_solve(G.t().matmul(G), G.t().matmul(h));
  EXPECT_TRUE(close(g, gradients(expected.square().sum(), {h}, true)[0], 1e-11));
  EXPECT_TRUE(close(gradients(s.x.square().sum(), {G}, true)[0],
                    gradients(expected.square().sum(), {G}, true)[0], 1e-11));
}

TEST(OnInfeasible, TakesBoundsAndEqualitiesAndLeavesOthersAlone) {
  // x1 = 2 and x1 ≤ 1 give way by half each; x2 is what the objective wants.
  const Tensor b = leaf({2, .5}, {2, 1});
  const QuadraticProgram program{.Q = torch::eye(2, options()),
                                 .p = vector({0, -3}),
                                 .A = vector({1, 0}).view({1, 2}),
                                 .b = b,
                                 .upper = vector({1, 2})};
  const auto s = quadratic_program(
      program, {.on_infeasible = OnInfeasible::ClosestFeasible, .on_failure = OnFailure::Ignore});
  EXPECT_TRUE(close(s.x, vector({1.5, 2, .5, 2}).view({2, 2}), 1e-12));
  EXPECT_TRUE(close(gradient_of(s.x.select(1, 0), b), vector({.5, 1}).view({2, 1}), 1e-12));
}

TEST(OnInfeasible, CanGiveZeroGradients) {
  const Tensor h = leaf({1, -2, 1, 0}, {2, 2});
  const auto s = quadratic_program({.Q = torch::eye(1, options()), .G = vector({1, -1}).view({2, 1}), .h = h},
                                   {.on_infeasible = OnInfeasible::Zero, .on_failure = OnFailure::Ignore});
  EXPECT_TRUE(s.x[0].isnan().all().item<bool>());
  EXPECT_TRUE(close(gradient_of((s.x - 1).square(), h)[0], zeros({2}), 0));
}

TEST(WarmStart, NeedsNoIterationsNearTheLastSolution) {
  torch::manual_seed(5);
  const Tensor Q = torch::eye(6, options());
  const Tensor p = normal({20, 6}).requires_grad_();
  const Tensor G = normal({20, 9, 6});
  const Tensor h = torch::rand({20, 9}, torch::kDouble).to(options());
  const QuadraticProgram program{.Q = Q, .p = p, .G = G, .h = h, .upper = torch::full({6}, .5, options())};
  const auto first = quadratic_program(program);
  const auto again = quadratic_program(program, {.warm_start = first});
  for (const auto taken : again.stats.iterations) EXPECT_EQ(taken, 0);
  EXPECT_TRUE(close(again.x, first.x, 1e-13));
  EXPECT_TRUE(close(gradient_of(again.x, p), gradient_of(first.x, p), 1e-12));
  // From anywhere else it finds the same.
  QuadraticProgram other = program;
  other.p = -2 * p;
  const auto cold = quadratic_program(other);
  const auto warm = quadratic_program(other, {.warm_start = first});
  EXPECT_TRUE(warm.stats.optimal());
  EXPECT_TRUE(close(warm.x, cold.x, 1e-12));
  expect_error([&] { quadratic_program({.Q = Q}, {.warm_start = first}); }, "warm_start.x: expected shape");
}

// Both unknowns were at their bounds; now one of them is free, which a start there must not hide.
TEST(WarmStart, DoesNotHideThatASolutionIsNotUnique) {
  const auto program = [](const std::vector<double>& p) {
    return QuadraticProgram{
        .p = vector(p), .G = vector({-1, 0, 0, -1, 1, 0, 0, 1}).view({4, 2}), .h = vector({0, 0, 1, 1})};
  };
  const auto first = quadratic_program(program({1, 1}));
  const auto warm = quadratic_program(program({1, 0}), {.warm_start = first});
  EXPECT_TRUE(warm.stats.primal_not_unique[0]);
}

TEST(Smoothing, PerturbedDrawsThatFailLeaveOthersAlone) {
  torch::manual_seed(6);
  const Tensor p = leaf({1, 2});
  const Tensor h = vector({1, -2, 1, 0}).view({2, 2});  // sample 0 has no point
  const auto s =
      quadratic_program({.p = p,
                         .G = vector({1, 0, -1, 0}).view({2, 2}),
                         .h = h,
                         .lower = zeros({2}),
                         .upper = torch::ones({2}, options())},
                        {.smoothing = optim::Perturbed{.samples = 10}, .on_failure = OnFailure::Ignore});
  EXPECT_EQ(s.stats.status[0], ProgramStatus::Infeasible);
  EXPECT_TRUE(gradient_of(s.x[1], p).isfinite().all().item<bool>());
}

TEST(OnInfeasible, TakesABarrierOfItsOwnForEachSample) {
  const Tensor h = vector({1, -2, 1, 0}).view({2, 2});
  const auto s = quadratic_program({.Q = torch::eye(1, options()),
                                    .p = vector({1}),
                                    .G = vector({1, -1}).view({2, 1}),
                                    .h = h,
                                    .lower = vector({-5})},
                                   {.smoothing = Barrier{vector({.1, .2})},
                                    .on_infeasible = OnInfeasible::ClosestFeasible,
                                    .on_failure = OnFailure::Ignore});
  EXPECT_NEAR(s.x[0].item<double>(), 1.5, 1e-8);
  EXPECT_EQ(s.stats.status[1], ProgramStatus::Optimal);
}

// The second unknown is in no row and costs nothing.
TEST(Smoothing, BarrierSeesThatASolutionIsNotUnique) {
  const auto solve = [](const Tensor& p, const Tensor& G) {
    return quadratic_program({.p = p, .G = G, .h = vector({0, 1})},
                             {.smoothing = optim::Barrier{.1}, .on_failure = OnFailure::Ignore});
  };
  const Tensor p = leaf({1, 0});
  const auto loose = solve(p, vector({-1, 0, 1, 0}).view({2, 2}));
  ASSERT_TRUE(loose.stats.optimal()) << loose.stats.full();
  EXPECT_TRUE(loose.stats.primal_not_unique[0]);
  EXPECT_TRUE(gradients(loose.x.sum(), {p})[0].isnan().all().item<bool>());
  const auto held = solve(vector({1, 0, 0}).narrow(0, 0, 1), vector({-1, 1}).view({2, 1}));
  ASSERT_TRUE(held.stats.optimal()) << held.stats.full();
  EXPECT_FALSE(held.stats.primal_not_unique[0]);
}

}  // namespace
}  // namespace stillpoint::test
