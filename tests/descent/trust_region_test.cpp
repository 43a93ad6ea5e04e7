#include "descent/trust_region.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

using detail::column_scale;
using detail::gain_ratio;
using detail::TrustRegion;

// Regions of radius 8 after a first step of that length, for as many samples.
TrustRegion regions_of_eight(std::size_t batch) {
  TrustRegion regions(std::vector<double>(batch, 8.0));
  regions.judge(std::vector<double>(batch, 8.0), std::vector<double>(batch, 0.3), Mask(batch, 1));
  return regions;
}

TEST(TrustRegion, FollowsHowWellTheModelPredicted) {
  struct Rule {
    double length, ratio, radius;
    bool accepted;
  };
  const std::vector<Rule> rules{
      {8.0, -1.0, 4.0, false},  // a loss
      {8.0, 0.00009, 4.0, false},
      {8.0, 0.0001, 4.0, true},  // a gain, if a poor one
      {8.0, 0.09, 4.0, true},
      {2.0, 0.09, 1.0, true},  // half of a step that did not reach the border
      {8.0, 0.1, 8.0, true},   // fair: the radius stays
      {8.0, 0.49, 8.0, true},
      {8.0, 0.5, 16.0, true},  // good: no less than twice the step
      {2.0, 0.5, 8.0, true},
      {8.0, 1.5, 16.0, true},  // better than predicted, so not well predicted either
      {2.0, 0.95, 4.0, true},  // well predicted: twice the step, even where that is less
      {8.0, 1.05, 16.0, true},
      {8.0, NAN, 4.0, false},
  };
  TrustRegion regions = regions_of_eight(rules.size());
  std::vector<double> lengths, ratios;
  for (const Rule& rule : rules) {
    lengths.push_back(rule.length);
    ratios.push_back(rule.ratio);
  }
  regions.judge(lengths, ratios, Mask(rules.size(), 1));
  for (std::size_t b = 0; b < rules.size(); ++b) {
    EXPECT_EQ(regions.radius()[b], rules[b].radius) << "length " << lengths[b] << ", ratio " << ratios[b];
    EXPECT_EQ(regions.accepted()[b], rules[b].accepted) << "length " << lengths[b] << ", ratio " << ratios[b];
  }
}

TEST(TrustRegion, IsNoLargerThanTheFirstStep) {
  TrustRegion regions({100.0, 100.0, 1.0});
  regions.judge({3.0, 3.0, 1.0}, {0.3, 0.0, 0.3}, Mask(3, 1));
  EXPECT_EQ(regions.radius(), (std::vector<double>{3.0, 1.5, 1.0}));
  regions.judge({1.0, 1.0, 0.5}, {0.3, 0.3, 0.3}, Mask(3, 1));  // but the first alone
  EXPECT_EQ(regions.radius(), (std::vector<double>{3.0, 1.5, 1.0}));
}

TEST(TrustRegion, LeavesSamplesThatDoNotRun) {
  TrustRegion regions = regions_of_eight(2);
  EXPECT_EQ(regions.accepted(), (Mask{1, 1}));
  regions.judge({8.0, 8.0}, {0.95, 0.95}, {0, 1});
  EXPECT_EQ(regions.radius(), (std::vector<double>{8.0, 16.0}));
  EXPECT_EQ(regions.accepted(), (Mask{0, 1}));
}

TEST(GainRatio, ComparesTheGainsInTheSquare) {
  EXPECT_DOUBLE_EQ(gain_ratio(2.0, 0.0, 0.0), 1.0);
  EXPECT_DOUBLE_EQ(gain_ratio(2.0, 1.0, 1.0), 1.0);
  EXPECT_DOUBLE_EQ(gain_ratio(2.0, 0.0, 1.0), 0.75);
  EXPECT_DOUBLE_EQ(gain_ratio(2.0, 1.0, 0.0), 4.0 / 3.0);
  EXPECT_DOUBLE_EQ(gain_ratio(2e200, 1e200, 1e200), 1.0);  // whose squares overflow
  EXPECT_EQ(gain_ratio(2.0, 2.0, 1.0), 0.0);               // none was predicted
  for (const double trial : {2.0, 3.0, double{INFINITY}, double{NAN}}) {
    EXPECT_LT(gain_ratio(2.0, 1.0, trial), 0.0) << trial;
    EXPECT_EQ(gain_ratio(0.0, 0.0, trial), 0.0) << trial;
    EXPECT_EQ(gain_ratio(NAN, 1.0, trial), 0.0) << trial;
  }
}

TEST(ColumnScale, IsTheLargestNormOfEachColumnSoFar) {
  const Tensor first = vector({3, 0, 0, 4, 0, 0, 0, 0, 0.5}).view({1, 3, 3});
  const Tensor scale = column_scale(first, {});
  EXPECT_TRUE(identical(scale, vector({5, 1, 0.5}).view({1, 3})));
  const Tensor then = vector({1, 0, 0, 0, 2, 0, 0, 0, 0.25}).view({1, 3, 3});
  EXPECT_TRUE(identical(column_scale(then, scale), vector({5, 2, 0.5}).view({1, 3})));
}

}  // namespace
}  // namespace stillpoint::test
