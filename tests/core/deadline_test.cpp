#include "stillpoint/core/deadline.h"

#include <gtest/gtest.h>

#include <limits>

namespace stillpoint::test {
namespace {

TEST(Deadline, IsNowOrFarAwayOrNever) {
  EXPECT_FALSE(Deadline().passed());
  EXPECT_TRUE(Deadline(0.0).passed());
  EXPECT_FALSE(Deadline(1e8).passed());
  EXPECT_FALSE(Deadline(1e9).passed());
  EXPECT_FALSE(Deadline(std::numeric_limits<double>::infinity()).passed());
}

}  // namespace
}  // namespace stillpoint::test
