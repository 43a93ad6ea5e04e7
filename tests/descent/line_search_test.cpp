#include "descent/line_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace stillpoint::test {
namespace {

using detail::LineSearch;

TEST(LineSearch, TakesWhatFallsByATenThousandthOfThePromise) {
  LineSearch search({1.0, 1.0, -5.0}, {-1.0, -1.0, -2.0}, Mask(3, 1));
  EXPECT_TRUE(search.judge({0.99989, 0.99991, -5.00019}));
  EXPECT_EQ(search.searching(), (Mask{0, 1, 1}));
  search.halve();  // half the step has to do half as much
  EXPECT_FALSE(search.judge({7.0, 0.99994, -5.00011}));
  EXPECT_EQ(search.lengths(), (std::vector<double>{1.0, 0.5, 0.5}));
}

TEST(LineSearch, HalvesForEachSampleByItself) {
  LineSearch search({1.0, 1.0, 1.0}, {-1.0, -1.0, -1.0}, Mask(3, 1));
  EXPECT_TRUE(search.judge({2.0, 0.5, 2.0}));
  search.halve();
  EXPECT_TRUE(search.judge({2.0, 2.0, 0.5}));
  search.halve();
  EXPECT_FALSE(search.judge({0.5, 2.0, 2.0}));
  EXPECT_EQ(search.lengths(), (std::vector<double>{0.25, 1.0, 0.5}));
}

// Of Newton's method for atan z = 0 from 3: whole and half the step lead beyond −3, the quarter near zero.
TEST(LineSearch, BringsNewtonsMethodForTheArcTangentHome) {
  const double z = 3.0, step = -std::atan(z) * (1.0 + z * z);
  LineSearch search({std::atan(z)}, {-std::atan(z)}, Mask(1, 1));
  while (search.judge({std::abs(std::atan(z + search.lengths()[0] * step))})) search.halve();
  EXPECT_EQ(search.lengths(), std::vector<double>{0.25});
}

TEST(LineSearch, TakesNothingThatIsNotFinite) {
  LineSearch search({1.0, 1.0, 1.0}, {-1.0, -1.0, -1.0}, Mask(3, 1));
  EXPECT_TRUE(search.judge({NAN, INFINITY, -INFINITY}));
  EXPECT_EQ(search.searching(), (Mask{1, 1, 0}));
}

TEST(LineSearch, LeavesInfinityForAnyNumber) {
  LineSearch search({INFINITY, INFINITY, NAN}, {-INFINITY, -INFINITY, NAN}, Mask(3, 1));
  EXPECT_TRUE(search.judge({1e300, NAN, 1.0}));
  EXPECT_EQ(search.searching(), (Mask{0, 1, 1}));
}

TEST(LineSearch, LooksAtTheSamplesItSearchesForAlone) {
  LineSearch search({1.0, 1.0}, {-1.0, -1.0}, {0, 1});
  EXPECT_TRUE(search.judge({NAN, 2.0}));
  search.halve();
  EXPECT_FALSE(search.judge({NAN, 0.5}));
  EXPECT_EQ(search.lengths(), (std::vector<double>{1.0, 0.5}));
  EXPECT_FALSE(LineSearch({1.0}, {-1.0}, Mask(1)).judge({2.0}));
}

}  // namespace
}  // namespace stillpoint::test
