#include "stillpoint/core/monitor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

ResolvedTolerance absolute(double bound) { return {.relative = 0.0, .absolute = bound}; }

// A batch of samples of width 2 that all hold `number`.
Tensor iterate(std::int64_t batch, double number) { return torch::full({batch, 2}, number, options()); }

RowNorms residuals(std::vector<double> residual) {
  std::vector<double> scale(residual.size(), 1.0);
  return {std::move(residual), std::move(scale)};
}

Stats stats_of(const Monitor& monitor) {
  Stats stats;
  monitor.write(stats);
  return stats;
}

Tensor rows(const std::vector<double>& numbers) { return vector(numbers).unsqueeze(1).expand({-1, 2}); }

TEST(Monitor, FreezesEachSampleWhenItConverges) {
  Monitor monitor(absolute(0.1), 10, 3);
  EXPECT_TRUE(monitor.all_running());
  EXPECT_TRUE(monitor.update(iterate(3, 0), residuals({1.0, 0.05, 1.0})));
  EXPECT_FALSE(monitor.running(1));
  EXPECT_FALSE(monitor.all_running());
  EXPECT_TRUE(monitor.update(iterate(3, 1), residuals({0.01, 0.0, 0.5})));
  EXPECT_TRUE(monitor.update(iterate(3, 2), residuals({0.0, 0.0, 0.2})));
  EXPECT_FALSE(monitor.update(iterate(3, 3), residuals({0.0, 0.0, 0.1})));
  EXPECT_EQ(monitor.steps(), 3);
  EXPECT_TRUE(identical(monitor.best(), rows({1, 0, 3})));
  const Stats stats = stats_of(monitor);
  EXPECT_TRUE(stats.converged());
  EXPECT_EQ(stats.residual, (std::vector<double>{0.01, 0.05, 0.1}));
  EXPECT_EQ(stats.iterations, (std::vector<std::int64_t>{1, 0, 3}));
}

TEST(Monitor, KeepsTheBestIterateOfEachSample) {
  Monitor monitor(absolute(1e-9), 3, 2);
  EXPECT_TRUE(monitor.update(iterate(2, 0), residuals({4.0, 1.0})));
  EXPECT_TRUE(monitor.update(iterate(2, 1), residuals({2.0, 3.0})));
  EXPECT_TRUE(monitor.update(iterate(2, 2), residuals({3.0, 9.0})));
  EXPECT_FALSE(monitor.update(iterate(2, 3), residuals({8.0, 27.0})));
  EXPECT_TRUE(identical(monitor.best(), rows({1, 0})));
  const Stats stats = stats_of(monitor);
  EXPECT_EQ(stats.count(Status::MaxIterations), 2);
  EXPECT_EQ(stats.residual, (std::vector<double>{2.0, 1.0}));
  EXPECT_EQ(stats.iterations, (std::vector<std::int64_t>{3, 3}));
}

// Columns of a wider tensor, whose rows do not follow each other in memory.
TEST(Monitor, TakesIteratesThatAreViews) {
  const Tensor wide = torch::arange(30, options()).view({3, 10});
  const Tensor fz = torch::ones({3, 2}, options());
  Monitor view(absolute(1e-9), 10, 3);
  Monitor copy(absolute(1e-9), 10, 3);
  EXPECT_TRUE(view.update(wide.narrow(1, 4, 2), fz));
  EXPECT_TRUE(copy.update(wide.narrow(1, 4, 2).clone(), fz));
  EXPECT_TRUE(identical(view.best(), copy.best()));
  EXPECT_EQ(stats_of(view).residual, stats_of(copy).residual);
  EXPECT_TRUE(view.update(wide.narrow(1, 4, 2), residuals({0.1, 0.1, 0.1})));
  EXPECT_TRUE(identical(view.best(), wide.narrow(1, 4, 2)));
}

TEST(Monitor, ToleranceIsRelativeToTheScale) {
  Monitor monitor(ResolvedTolerance{.relative = 0.1, .absolute = 0.01}, 5, 2);
  EXPECT_TRUE(monitor.update(iterate(2, 0), {{0.5, 0.5}, {5.0, 4.8}}));
  EXPECT_FALSE(monitor.running(0));
  EXPECT_TRUE(monitor.running(1));
}

TEST(Monitor, ASampleFailsAfterTwoNumbersInARowThatAreNotFinite) {
  Monitor monitor(absolute(0.1), 10, 3);
  EXPECT_TRUE(monitor.update(iterate(3, 0), residuals({1.0, 1.0, NAN})));
  EXPECT_TRUE(monitor.update(iterate(3, 1), residuals({NAN, 0.9, INFINITY})));
  EXPECT_FALSE(monitor.running(2));
  EXPECT_TRUE(monitor.running(0));
  EXPECT_TRUE(monitor.update(iterate(3, 2), residuals({0.5, 0.8, NAN})));  // sample 0 recovers
  EXPECT_TRUE(monitor.update(iterate(3, 3), residuals({NAN, 0.7, NAN})));
  EXPECT_TRUE(monitor.update(iterate(3, 4), residuals({INFINITY, 0.6, NAN})));
  EXPECT_FALSE(monitor.running(0));
  EXPECT_FALSE(monitor.update(iterate(3, 5), residuals({0.0, 0.0, 0.0})));
  const Stats stats = stats_of(monitor);
  EXPECT_EQ(stats.status, (std::vector<Status>{Status::NonFinite, Status::Converged, Status::NonFinite}));
  EXPECT_EQ(stats.residual[0], 0.5);
  EXPECT_FALSE(std::isfinite(stats.residual[2]));
  EXPECT_TRUE(identical(monitor.best().narrow(0, 0, 2), rows({2, 5})));
}

TEST(Monitor, TwoNumbersThatAreNotFiniteAreNotInARowIfAllAdvancedBetweenThem) {
  Monitor monitor(absolute(0.1), 10, 2);
  EXPECT_TRUE(monitor.update(iterate(2, 0), residuals({1.0, 1.0})));
  EXPECT_TRUE(monitor.update(iterate(2, 1), residuals({NAN, 0.9})));
  EXPECT_TRUE(monitor.update(iterate(2, 2), residuals({0.5, 0.8})));
  EXPECT_TRUE(monitor.update(iterate(2, 3), residuals({NAN, 0.7})));
  EXPECT_TRUE(monitor.running(0));
}

TEST(Monitor, AnIterateIsNeverCopiedIntoTheCallersTensor) {
  Monitor monitor(absolute(1e-9), 10, 2);
  const Tensor first = iterate(2, 0), second = iterate(2, 1), third = iterate(2, 2);
  monitor.update(first, residuals({3.0, 3.0}));
  monitor.update(second, residuals({2.0, 4.0}));
  monitor.update(third, residuals({4.0, 1.0}));
  EXPECT_TRUE(identical(first, rows({0, 0})));
  EXPECT_TRUE(identical(second, rows({1, 1})));
  EXPECT_TRUE(identical(third, rows({2, 2})));
  EXPECT_TRUE(identical(monitor.best(), rows({1, 2})));
}

TEST(Monitor, NoIterationsAllowedMeansTheStartComesBack) {
  Monitor monitor(absolute(0.1), 0, 2);
  EXPECT_FALSE(monitor.update(iterate(2, 7), residuals({1.0, 0.0})));
  EXPECT_TRUE(identical(monitor.best(), rows({7, 7})));
  const Stats stats = stats_of(monitor);
  EXPECT_EQ(stats.status, (std::vector<Status>{Status::MaxIterations, Status::Converged}));
  EXPECT_EQ(stats.iterations, (std::vector<std::int64_t>{0, 0}));
}

TEST(Monitor, AnEmptyBatchIsDoneAtOnce) {
  Monitor monitor(absolute(0.1), 10, 0);
  EXPECT_FALSE(monitor.update(zeros({0, 2}), RowNorms{}));
  EXPECT_EQ(monitor.best().sizes(), at::IntArrayRef({0, 2}));
  EXPECT_TRUE(stats_of(monitor).converged());
}

TEST(Monitor, ABoundaryResidualCounts) {
  Monitor monitor(absolute(0.0), 10, 1);
  EXPECT_TRUE(monitor.update(iterate(1, 0), residuals({1e-300})));
  EXPECT_FALSE(monitor.update(iterate(1, 1), residuals({0.0})));
  EXPECT_TRUE(stats_of(monitor).converged());
}

}  // namespace
}  // namespace stillpoint::test
