#include "descent/wolfe_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace stillpoint::test {
namespace {

using detail::WolfeSearch;

struct Curve {
  std::function<double(double)> value, slope;
};

// The searches of Moré, Thuente 1994, ACM TOMS 20, section 5, from lengths of all sizes.
std::vector<Curve> curves() {
  constexpr double rise = 2.0;
  constexpr double small = 0.004;
  return {{[](double t) { return -t / (t * t + rise); },
           [](double t) { return (t * t - rise) / ((t * t + rise) * (t * t + rise)); }},
          {[](double t) { return std::pow(t + small, 5) - 2 * std::pow(t + small, 4); },
           [](double t) { return 5 * std::pow(t + small, 4) - 8 * std::pow(t + small, 3); }},
          {[](double t) { return std::sqrt(1e-6 + (1 - t) * (1 - t)) - 0.9 * t; },
           [](double t) { return -(1 - t) / std::sqrt(1e-6 + (1 - t) * (1 - t)) - 0.9; }},
          {[](double t) { return t < 3 ? -std::log(3 - t) - 4 * t : NAN; },
           [](double t) { return t < 3 ? 1 / (3 - t) - 4 : NAN; }}};
}

int trials_of(WolfeSearch& search, const std::function<std::vector<double>(double)>& value,
              const std::function<std::vector<double>(double)>& slope) {
  int trials = 0;
  do ++trials;
  while (search.judge(value(search.lengths()[0]), slope(search.lengths()[0])));
  return trials;
}

TEST(WolfeSearch, FindsALengthThatIsLowAndLevel) {
  for (const Curve& curve : curves()) {
    for (const double first : {1e-3, 1e-1, 1.0, 1e1, 1e3}) {
      const double slope = curve.slope(0.0);
      ASSERT_LT(slope, 0.0);
      WolfeSearch one({{curve.value(0.0), slope, 0.0}}, {first}, Mask{1}, /*level=*/0.1);
      const int trials = trials_of(
          one, [&](double t) { return std::vector{curve.value(t)}; },
          [&](double t) { return std::vector{curve.slope(t)}; });
      const double length = one.lengths()[0];
      ASSERT_EQ(one.found()[0], 1) << first;
      EXPECT_LE(trials, 20);
      EXPECT_LE(curve.value(length), curve.value(0.0) + 1e-4 * length * slope);
      EXPECT_LE(std::abs(curve.slope(length)), 0.9 * std::abs(slope));
    }
  }
}

TEST(WolfeSearch, GivesUpWhereThereIsNothing) {
  WolfeSearch endless({{0.0, -1.0, 0.0}}, {1.0}, Mask{1}, 0.9);
  trials_of(
      endless, [](double t) { return std::vector{-t}; }, [](double) { return std::vector{-1.0}; });
  EXPECT_EQ(endless.found()[0], 0);
  EXPECT_EQ(endless.unbounded()[0], 1);
  WolfeSearch liar({{0.0, -1.0, 0.0}}, {1.0}, Mask{1}, 0.9);  // rises although the slope falls
  trials_of(
      liar, [](double t) { return std::vector{t}; }, [](double) { return std::vector{1.0}; });
  EXPECT_EQ(liar.found()[0], 0);
  EXPECT_EQ(liar.unbounded()[0], 0);
}

TEST(WolfeSearch, GoesBySlopesWithinTheRounding) {
  const auto flat = [](double) { return std::vector{1.0}; };
  const auto slope = [](double t) { return std::vector{1e-9 * (t - 1.0)}; };
  WolfeSearch rounded({{1.0, -1e-9, 1e-15}}, {1.0}, Mask{1}, 0.9);
  EXPECT_EQ(trials_of(rounded, flat, slope), 1);
  EXPECT_EQ(rounded.found()[0], 1);
  WolfeSearch exact({{1.0 - 1e-12, -1e-9, 1e-15}}, {1.0}, Mask{1}, 0.9);
  trials_of(exact, flat, slope);
  EXPECT_EQ(exact.found()[0], 0);
}

TEST(WolfeSearch, WidensAStepThatIsShorterThanTheRounding) {
  WolfeSearch one({{1.0, -1e-9, 1e-15}}, {1e-12}, Mask{1}, 0.1);
  trials_of(
      one, [](double t) { return std::vector{1.0 + .5e-9 * (t - 2.0) * t}; },
      [](double t) { return std::vector{1e-9 * (t - 1.0)}; });
  EXPECT_EQ(one.found()[0], 1);
  EXPECT_EQ(one.unbounded()[0], 0);
  EXPECT_NEAR(one.lengths()[0], 1.0, 0.1);
}

TEST(WolfeSearch, LeavesOtherSamplesAlone) {
  WolfeSearch two({{1.0, -2.0, 0.0}, {1.0, -2.0, 0.0}}, {1.0, 7.0}, Mask{1, 0}, 0.9);
  EXPECT_FALSE(two.judge({0.0, NAN}, {0.0, NAN}));
  EXPECT_EQ(two.found(), (Mask{1, 0}));
  EXPECT_EQ(two.lengths()[1], 7.0);
}

}  // namespace
}  // namespace stillpoint::test
