// When a solve is given up, beside the iterations allowed: no progress, and no time.
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <thread>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

// One sample contracts, the other goes round in a circle.
Map half_turns() {
  return [](const Tensor& z) { return torch::stack({0.5 * z[0] + 1.0, -z[1] + 1.0}); };
}

TEST(Limits, GiveUpASampleThatStallsAndNoOther) {
  for (const FixedPointSolver& solver :
       {FixedPointSolver(Picard{}), FixedPointSolver(Picard{.damping = 1e-6})}) {
    const Stats stats = fixed_point(half_turns(), zeros({2, 1}),
                                    {.solver = solver,
                                     .tolerance = {.relative = 1e-9},
                                     .max_iterations = 500,
                                     .stall_window = 10,
                                     .on_failure = OnFailure::Ignore})
                            .stats;
    const bool damped = solver.target<Picard>()->damping < 1.0;
    EXPECT_EQ(stats.status[1], Status::Stalled);
    EXPECT_EQ(stats.status[0], damped ? Status::Stalled : Status::Converged);
    EXPECT_LE(stats.iterations[1], 21);
    EXPECT_LE(stats.evaluations, 60);
    EXPECT_NE(stats.full().find("stalled: "), std::string::npos) << stats.full();
  }
}

TEST(Limits, DoNotCutShortWhatGetsOn) {
  const Problem problem = tanh_layer(at::kDouble);
  const auto free = fixed_point(problem.f, problem.z0, {.solver = Picard{}});
  const auto watched =
      fixed_point(problem.f, problem.z0, {.solver = Picard{}, .stall_window = 10, .time_limit = 600.0});
  EXPECT_TRUE(identical(watched.value, free.value));
  EXPECT_EQ(watched.stats.iterations, free.stats.iterations);
}

TEST(Limits, OfTimeMayBeInfinite) {
  const Problem problem = tanh_layer(at::kDouble);
  for (const double seconds : {1e10, 1e300, std::numeric_limits<double>::infinity()}) {
    EXPECT_TRUE(fixed_point(problem.f, problem.z0, {.time_limit = seconds}).stats.converged()) << seconds;
  }
}

TEST(Limits, EndASolveWhenTheTimeIsOver) {
  const Map slow = [](const Tensor& z) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return 0.999 * z + 1.0;
  };
  const auto solution = fixed_point(
      slow, zeros({1, 1}),
      {.solver = Picard{}, .max_iterations = 1'000'000, .time_limit = 0.05, .on_failure = OnFailure::Ignore});
  EXPECT_EQ(solution.stats.status[0], Status::TimeLimit);
  EXPECT_LE(solution.stats.iterations[0], 10);
}

TEST(Limits, HoldForRoots) {
  const auto stats =
      root([](const Tensor& z) { return z * z + 1.0; }, torch::ones({1, 1}, options()),
           {.solver = Dogleg{}, .max_iterations = 1000, .stall_window = 15, .on_failure = OnFailure::Ignore})
          .stats;
  EXPECT_EQ(stats.status[0], Status::Stalled);
  EXPECT_LE(stats.iterations[0], 100);
}

TEST(Limits, AreChecked) {
  const Map half = [](const Tensor& z) { return 0.5 * z; };
  expect_error([&] { fixed_point(half, zeros({1, 1}), {.stall_window = -1}); }, "stall_window");
  expect_error([&] { fixed_point(half, zeros({1, 1}), {.time_limit = -1.0}); }, "time_limit");
  expect_error([&] { fixed_point(half, zeros({1, 1}), {.time_limit = NAN}); }, "time_limit");
}

}  // namespace
}  // namespace stillpoint::test
