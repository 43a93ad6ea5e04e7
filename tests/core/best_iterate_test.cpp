#include "stillpoint/core/best_iterate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

Tensor samples_of(const std::vector<double>& numbers) {
  return vector(numbers).unsqueeze(1).repeat({1, 2}).contiguous();
}

TEST(BestIterate, IsTheIterateItselfWhileAllImprove) {
  BestIterate best(2);
  const Tensor first = samples_of({1, 2}), second = samples_of({3, 4});
  best.take(first, {2.0, 3.0});
  EXPECT_TRUE(best.improves_all({1.0, 1.0}));
  best.take(second, {1.0, 1.0}, {1, 1}, {1, 1});
  EXPECT_TRUE(best.value({1, 1}).is_same(second));
  EXPECT_FALSE(best.parted());
  best.end({1, 1});
  EXPECT_TRUE(best.value({0, 0}).is_same(second));
  EXPECT_FALSE(best.parted());
}

TEST(BestIterate, TakesTheBetterRowsAndLeavesTheCallersTensorsAlone) {
  BestIterate best(2);
  const Tensor first = samples_of({1, 2}), second = samples_of({3, 4});
  best.take(first, {2.0, 3.0}, {1, 1}, {1, 1});
  EXPECT_FALSE(best.improves_all({1.0, 3.0}));
  best.take(second, {1.0, 9.0}, {1, 0}, {1, 1});
  EXPECT_TRUE(identical(best.value({1, 1}), samples_of({3, 2})));
  EXPECT_EQ(best.residual(), (std::vector<double>{1.0, 3.0}));
  EXPECT_TRUE(identical(first, samples_of({1, 2})));
  EXPECT_TRUE(identical(second, samples_of({3, 4})));
}

TEST(BestIterate, ANumberIsBetterThanNan) {
  BestIterate best(1);
  EXPECT_TRUE(best.improves(0, INFINITY));
  EXPECT_FALSE(best.improves(0, NAN));
  EXPECT_FALSE(best.improves_all({1.0}));
  best.take(samples_of({1}), {1.0});
  EXPECT_FALSE(best.improves(0, NAN));
  EXPECT_FALSE(best.improves(0, 1.0));
  EXPECT_TRUE(best.improves(0, 0.5));
}

TEST(BestIterate, WhatASampleEndedWithStaysUntilItGoesOn) {
  BestIterate best(3);
  best.take(samples_of({1, 2, 3}), {3.0, 3.0, 3.0});
  best.end({0, 1, 0});
  EXPECT_TRUE(best.parted());
  best.take(samples_of({4, 5, 6}), {2.0, 0.0, 2.0}, {1, 0, 1}, {1, 0, 1});
  EXPECT_TRUE(identical(best.value({1, 0, 1}), samples_of({4, 2, 6})));
  best.end({1, 0, 1});
  EXPECT_TRUE(identical(best.value({0, 0, 0}), samples_of({4, 2, 6})));

  best.go_on({0, 0, 0});
  best.restate(1, 7.0);
  EXPECT_EQ(best.residual(), (std::vector<double>{2.0, 7.0, 2.0}));
  EXPECT_TRUE(identical(best.value({0, 1, 0}), samples_of({4, 2, 6})));
  best.take(samples_of({7, 8, 9}), {0.0, 1.0, 0.0}, {0, 1, 0}, {0, 1, 0});
  EXPECT_TRUE(identical(best.value({0, 1, 0}), samples_of({4, 8, 6})));
}

}  // namespace
}  // namespace stillpoint::test
