#include "stillpoint/core/tolerance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/compare.h"

namespace stillpoint::test {
namespace {

TEST(Tolerance, DefaultsFollowTheDtype) {
  const auto in_double = Tolerance{}.resolved(at::kDouble);
  EXPECT_EQ(in_double.relative, 1e-10);
  EXPECT_EQ(in_double.absolute, 1e-12);
  const auto in_float = Tolerance{}.resolved(at::kFloat);
  EXPECT_EQ(in_float.relative, 1e-5);
  EXPECT_EQ(in_float.absolute, 1e-6);
  for (const auto narrow : {at::kHalf, at::kBFloat16}) {
    EXPECT_EQ(Tolerance{}.resolved(narrow).relative, 1e-2);
    EXPECT_EQ(Tolerance{}.resolved(narrow).absolute, 1e-3);
  }
}

TEST(Tolerance, WhatIsGivenIsKept) {
  const auto resolved =
      Tolerance{.relative = 0.0, .absolute = 3.0, .norm = Norm::Maximum}.resolved(at::kFloat);
  EXPECT_EQ(resolved.relative, 0.0);
  EXPECT_EQ(resolved.absolute, 3.0);
  EXPECT_EQ(resolved.norm, Norm::Maximum);
  const auto half_given = Tolerance{.relative = 1e-3, .absolute = {}}.resolved(at::kDouble);
  EXPECT_EQ(half_given.relative, 1e-3);
  EXPECT_EQ(half_given.absolute, 1e-12);
}

TEST(Tolerance, OneThatIsResolvedAllowsANumberAndStaysWhatItIs) {
  const ResolvedTolerance resolved{.relative = 0.5, .absolute = 3.0, .norm = Norm::Maximum};
  EXPECT_EQ(resolved.allowed(4.0), 5.0);
  const ResolvedTolerance again = Tolerance(resolved).resolved(at::kFloat);
  EXPECT_EQ(again.relative, 0.5);
  EXPECT_EQ(again.absolute, 3.0);
  EXPECT_EQ(again.norm, Norm::Maximum);
}

TEST(Tolerance, NegativeOrNanIsRefused) {
  for (const double bad : {-1e-300, -1.0, std::nan("")}) {
    expect_error([&] { Tolerance{.relative = bad, .absolute = {}}.resolved(at::kDouble); }, "relative");
    expect_error([&] { Tolerance{.relative = {}, .absolute = bad}.resolved(at::kDouble); }, "absolute");
  }
}

}  // namespace
}  // namespace stillpoint::test
