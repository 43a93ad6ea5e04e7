#include "peak_memory.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace stillpoint::app::testing {
namespace {

TEST(PeakTensorBytes, CountsWhatLivesAtOneTime) {
  const auto one_after_another = peak_tensor_bytes(torch::kCPU, [] {
    for (int i = 0; i < 10; ++i) {
      torch::zeros({1000});
    }
  });
  EXPECT_EQ(one_after_another, 4000);
  const auto together = peak_tensor_bytes(
      torch::kCPU, [] { const auto a = torch::zeros({1000}), b = torch::zeros({500}, torch::kDouble); });
  EXPECT_EQ(together, 8000);
}

TEST(PeakTensorBytes, IsZeroForViews) {
  const auto before = torch::zeros({1000});
  EXPECT_EQ(peak_tensor_bytes(torch::kCPU, [&] { before.view({10, 100}).t(); }), 0);
}

}  // namespace
}  // namespace stillpoint::app::testing
