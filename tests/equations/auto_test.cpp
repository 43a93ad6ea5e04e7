// The solver that escalates: when, for whom, and what it reports.
#include <gtest/gtest.h>

#include <cmath>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/more_garbow_hillstrom.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

// Samples with a rate each.
Map with_rates(const Tensor& rates) {
  return [rates](const Tensor& z) { return rates * torch::sin(z) + 1.0; };
}

TEST(Auto, IsAndersonWhereThatGetsOn) {
  const Problem problem = tanh_layer(at::kDouble);
  const auto automatic = fixed_point(problem.f, problem.z0, {.solver = Auto{}});
  const auto anderson = fixed_point(problem.f, problem.z0, {.solver = Anderson{}});
  EXPECT_TRUE(identical(automatic.value, anderson.value));
  EXPECT_EQ(automatic.stats.method, "Auto (Anderson)");
  EXPECT_EQ(automatic.stats.evaluations, anderson.stats.evaluations);
  EXPECT_EQ(automatic.stats.iterations, anderson.stats.iterations);
}

// Samples that were parked and then finish all at once: what comes back is where they finished.
TEST(Auto, ReturnsWhatItFoundLast) {
  for (int seed = 0; seed < 30; ++seed) {
    torch::manual_seed(seed);
    const Tensor w = 1.5 * normal({4, 8, 8}), x = normal({4, 8});
    const Map f = [&](const Tensor& z) { return torch::bmm(w, z.unsqueeze(2)).squeeze(2) + x; };
    const auto [z, stats] =
        fixed_point(f, zeros({4, 8}), {.solver = Auto{}, .on_failure = OnFailure::Ignore});
    const Tensor residual = (f(z) - z).square().sum(1).sqrt();
    for (std::int64_t b = 0; b < 4; ++b) {
      EXPECT_NEAR(residual[b].item<double>(), stats.residual[b], 1e-9 * (1 + z.abs().max().item<double>()))
          << "seed " << seed << ", sample " << b << ": " << to_string(stats.status[b]);
    }
  }
}

TEST(Auto, TakesNoMoreIterationsThanAllowed) {
  const Map broken = [](const Tensor& z) { return z * std::nan(""); };
  const Stats stats = fixed_point(broken, zeros({2, 3}),
                                  {.solver = Auto{}, .max_iterations = 1, .on_failure = OnFailure::Ignore})
                          .stats;
  for (const std::int64_t iterations : stats.iterations) EXPECT_LE(iterations, 1);
}

TEST(Auto, EscalatesForTheSamplesThatStall) {
  // Anderson, with memory for five evaluations, stalls on a rotation of forty dimensions.
  const Tensor skew = normal({40, 40});
  const Tensor rotation = torch::matrix_exp(3.0 * (skew - skew.t()));
  const Tensor gain = vector({0.2, 1.0, 0.3}).unsqueeze(1);
  const Tensor b = normal({3, 40});
  const auto f = [&](const Tensor& z) { return gain * torch::matmul(z, rotation) + b; };
  const auto stalled =
      fixed_point(f, zeros({3, 40}), {.solver = Anderson{}, .on_failure = OnFailure::Ignore});
  ASSERT_EQ(stalled.stats.status[1], Status::MaxIterations) << "the problem is too easy";
  for (const bool dense : {true, false}) {
    const auto [value, stats] =
        fixed_point(f, zeros({3, 40}), {.solver = Auto{.dense_width = dense ? 40 : 39}});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_EQ(stats.method, dense ? "Auto (Anderson, then Dogleg for 1 of 3 samples)"
                                  : "Auto (Anderson, then NewtonKrylov for 1 of 3 samples)");
    // The others are as Anderson left them, bit by bit, and so are their reports.
    for (const std::int64_t sample : {0, 2}) {
      EXPECT_TRUE(identical(value[sample], stalled.value[sample]));
      EXPECT_EQ(stats.iterations[sample], stalled.stats.iterations[sample]);
      EXPECT_EQ(stats.residual[sample], stalled.stats.residual[sample]);
    }
    EXPECT_LT((f(value) - value).norm().item<double>(), 1e-8);
  }
}

TEST(Auto, DoesNotLetASampleWaitInItsReport) {
  const Tensor rates = vector({0.9, 0.5}).unsqueeze(1);
  const Stats both = fixed_point(with_rates(rates), zeros({2, 1}), {.solver = Auto{}}).stats;
  for (const std::int64_t sample : {0, 1}) {
    const Stats alone =
        fixed_point(with_rates(rates.narrow(0, sample, 1)), zeros({1, 1}), {.solver = Auto{}}).stats;
    EXPECT_EQ(both.iterations[sample], alone.iterations[0]);
  }
}

TEST(Auto, TakesOnWhatLeftTheFiniteNumbers) {
  // A repelling fixed point of a map that overflows: plain steps explode, Newton's method finds it.
  const auto f = [](const Tensor& z) { return z.exp() - 1.5; };
  const auto start = torch::full({1, 1}, 6.0, options());
  const auto [value, stats] = fixed_point(f, start, {.solver = Auto{}, .max_iterations = 400});
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_LT((f(value) - value).abs().item<double>(), 1e-9);
}

TEST(Auto, SolvesMoreRootsThanItsParts) {
  const torch::NoGradGuard off;
  const auto solved = [](const RootSolver& solver) {
    int count = 0;
    for (const NonlinearSystem& system : more_garbow_hillstrom()) {
      count += root(system.residual, system.start,
                    {.solver = solver, .max_iterations = 200, .on_failure = OnFailure::Ignore})
                   .stats.converged();
    }
    return count;
  };
  EXPECT_GE(solved(Auto{}), 18);
}

TEST(Auto, LeavesOutFinishedSamplesAndTakesThemBack) {
  const Tensor skew = normal({40, 40});
  const Tensor rotation = torch::matrix_exp(3.0 * (skew - skew.t()));
  const Tensor gain = vector({0.2, 1.0, 0.3, 0.1, 0.97, 0.2}).unsqueeze(1);
  const Tensor b = normal({6, 40});
  const auto f = [&](const Tensor& z, const std::vector<Tensor>& inputs) {
    return inputs[0] * torch::matmul(z, rotation) + inputs[1];
  };
  const auto [value, stats] = fixed_point({f, {gain, b}}, zeros({6, 40}), {.solver = Auto{}});
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_LT((f(value, {gain, b}) - value).norm().item<double>(), 1e-8);
}

}  // namespace
}  // namespace stillpoint::test
