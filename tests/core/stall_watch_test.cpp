#include "stillpoint/core/stall_watch.h"

#include <gtest/gtest.h>

#include <cmath>

namespace stillpoint::test {
namespace {

// The steps, of as many as there are residuals, at which a single sample stalls.
std::vector<std::int64_t> stalls_of(StallWatch& watch, std::int64_t from, const std::vector<double>& best) {
  std::vector<std::int64_t> steps;
  for (std::size_t i = 0; i < best.size(); ++i) {
    const std::int64_t step = from + static_cast<std::int64_t>(i);
    if (!watch.ends_window(step)) continue;
    if (watch.stalls(0, best[i])) steps.push_back(step);
    watch.begin_window({best[i]});
  }
  return steps;
}

using Steps = std::vector<std::int64_t>;

TEST(StallWatch, NoneStallsUntilToldOtherwise) {
  StallWatch watch;
  EXPECT_EQ(stalls_of(watch, 0, {1, 1, 1, 1}), Steps{});
  watch.give_up(4, 0);
  EXPECT_EQ(stalls_of(watch, 4, {1, 1, 1, 1}), Steps{});
  EXPECT_FALSE(watch.parks());
}

TEST(StallWatch, WantsOnePerCentAWindow) {
  StallWatch watch;
  watch.give_up(0, 2);
  EXPECT_EQ(stalls_of(watch, 0, {1, 1, 0.98, 0.98, 0.98, 0.98, 0.9}), Steps{4});
}

TEST(StallWatch, WantsHalfWhileItParks) {
  StallWatch watch;
  watch.give_up(0, 3);
  watch.park(5, 2);
  EXPECT_TRUE(watch.parks());
  EXPECT_EQ(stalls_of(watch, 5, {1, 1, 0.5, 0.5, 0.3}), Steps{9});
  watch.end_parking(10);
  EXPECT_FALSE(watch.parks());
  EXPECT_EQ(stalls_of(watch, 10, {1, 1, 1, 0.9, 0.9, 0.9, 0.9}), Steps{16});
}

TEST(StallWatch, NanStallsOnceAWindowIsOver) {
  StallWatch watch;
  watch.give_up(0, 2);
  EXPECT_EQ(stalls_of(watch, 0, {NAN, NAN, NAN}), Steps{2});
}

}  // namespace
}  // namespace stillpoint::test
