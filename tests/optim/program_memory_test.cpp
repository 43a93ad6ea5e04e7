// What solving programs and differentiating them leaves behind: nothing.
#include <gtest/gtest.h>
#include <malloc.h>

#include "optim/programs.h"
#include "support/memory.h"

namespace stillpoint::test {
namespace {

// One program that is solved, and one that is infeasible.
struct ProgramTraining {
  Tensor Q = torch::eye(3, options()).requires_grad_();
  Tensor p = leaf({-1, -2, 1});
  Tensor G = leaf({1, 1, 0, -1, -1, 0, 0, 0, 1}, {3, 3});
  Tensor h = leaf({1, 1, 2, 1, -2, 2}, {2, 3});

  void step() {
    const auto s = quadratic_program({.Q = Q, .p = p, .G = G, .h = h}, {.on_failure = OnFailure::Ignore});
    (s.x[0].sum() + s.z[0].sum()).backward();
    for (const Tensor& part : {Q, p, G, h}) part.mutable_grad().reset();
  }
};

// The bytes that are handed out and not given back, those of vectors too; zero under the sanitizers.
std::int64_t bytes_in_use() { return static_cast<std::int64_t>(mallinfo2().uordblks); }

TEST(QuadraticProgramMemory, TenThousandSolvesWithTheirGradientsLeakNothing) {
  constexpr std::int64_t solves = 10000;
  ProgramTraining training;
  const MemoryMeter memory;
  for (int k = 0; k < 100; ++k) training.step();
  const auto tensors = memory.live_bytes();
  const auto bytes = bytes_in_use();
  for (int k = 0; k < solves; ++k) training.step();
  EXPECT_EQ(memory.live_bytes(), tensors);
  EXPECT_LT(bytes_in_use() - bytes, solves);  // less than a byte a solve
}

}  // namespace
}  // namespace stillpoint::test
