#include "stillpoint/core/stop_test.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

Tensor position(double number) { return torch::full({1, 2}, number, options()); }

TEST(StopTest, ComparesTheResidualWithWhatTheToleranceAllows) {
  const StopTest test(ResolvedTolerance{.relative = 0.1, .absolute = 0.01});
  const RowNorms norms{{0.5, 0.5, NAN, 0.0}, {5.0, 4.8, 5.0, INFINITY}};
  EXPECT_TRUE(test.solves(0, norms));
  EXPECT_FALSE(test.solves(1, norms));
  EXPECT_FALSE(test.solves(2, norms));
  EXPECT_FALSE(test.solves(3, norms));
  EXPECT_EQ(test.allowed(0, 5.0), 0.01 + 0.1 * 5.0);
}

TEST(StopTest, IsCertainThatNoneIsSolvedOnlyOfFiniteScales) {
  const StopTest test(ResolvedTolerance{.relative = 0.0, .absolute = 0.5});
  EXPECT_TRUE(test.solves_none({{1.0, 2.0}, {1.0, 1.0}}));
  EXPECT_FALSE(test.solves_none({{1.0, 0.5}, {1.0, 1.0}}));
  EXPECT_FALSE(test.solves_none({{1.0, 2.0}, {1.0, INFINITY}}));
  EXPECT_FALSE(test.solves_none({{1.0, 2.0}, {1.0, NAN}}));
}

TEST(StopTest, AStepIsTheDistanceFromTheLastIterate) {
  StopTest test({.relative = 0.0, .absolute = 0.5, .norm = Norm::Maximum}, Criterion::Step);
  const auto solved_at = [&](double z, double residual) {
    const RowNorms norms{{residual}, {1.0}};
    test.follow(position(z), norms, {1}, false);
    EXPECT_TRUE(!test.solves_none(norms) || !test.solves(0, norms));
    return test.solves(0, norms);
  };
  EXPECT_FALSE(solved_at(0.0, 1e-9));  // the start is no step
  EXPECT_FALSE(solved_at(1.0, 1e-9));
  EXPECT_TRUE(solved_at(1.4, 9.0));
  EXPECT_FALSE(solved_at(1.4, 9.0));  // it has not moved
  EXPECT_TRUE(solved_at(1.4, 0.0));   // but is at its goal
  test.forget();
  EXPECT_FALSE(solved_at(1.5, 9.0));
}

TEST(StopTest, OnlyASlopeOfThisIterateDecides) {
  int measured = 0;
  const auto ten = [&](const Tensor&, const std::vector<double>& target) {
    ++measured;
    EXPECT_EQ(target, std::vector<double>{0.5});
    return std::vector<double>{10.0};
  };
  StopTest test(ResolvedTolerance{.relative = 0.0, .absolute = 0.5}, Slopes(ten, 1));
  const auto solved_with = [&](double residual, bool now) {
    const RowNorms norms{{residual}, {1.0}};
    test.follow(position(0.0), norms, {1}, now);
    EXPECT_TRUE(!test.solves_none(norms) || !test.solves(0, norms));
    return test.solves(0, norms);
  };
  EXPECT_FALSE(solved_with(5000.0, false));  // the start is measured
  EXPECT_FALSE(solved_with(2000.0, false));  // halved: no need to
  EXPECT_EQ(measured, 1);
  EXPECT_EQ(test.allowed(0, 1.0), 5.0);
  EXPECT_FALSE(solved_with(900.0, true));
  EXPECT_TRUE(solved_with(5.0, false));  // where the last slope lets it pass
  EXPECT_EQ(measured, 3);
}

}  // namespace
}  // namespace stillpoint::test
