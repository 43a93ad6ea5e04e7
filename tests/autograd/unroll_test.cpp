#include "stillpoint/autograd/unroll.h"

#include <gtest/gtest.h>

#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

// A pair (a, b) ↦ (sin(w a) + b, a b), of which sample 1 takes the even steps only. Which samples take a step
// is decided once: `decisions` counts that.
struct PairIteration {
  Tensor w = (0.5 * torch::ones({}, options())).requires_grad_();
  Tensor start = (0.3 * normal({2, 3})).requires_grad_();
  int length = 7;
  mutable int decisions = 0;

  State begin() const { return {start, start.cos()}; }
  NextStep next() const {
    decisions = 0;
    return [this](const State& state) -> std::optional<Step> {
      if (decisions == length) return {};
      const Mask moved{1, static_cast<std::uint8_t>(decisions++ % 2 == 0)};
      const Tensor keep = torch::tensor({moved[0] == 0, moved[1] == 0}).unsqueeze(1).to(start.device());
      const auto take = [this, keep](const State& from) -> State {
        return {torch::where(keep, from[0], torch::sin(w * from[0]) + from[1]),
                torch::where(keep, from[1], from[0] * from[1])};
      };
      return Step{.next = take(state), .again = take, .moved = moved};
    };
  }
};

struct Derivatives {
  Tensor value;
  std::vector<Tensor> first, second;
};

Derivatives of(const PairIteration& iteration, const State& end) {
  const Tensor value = (end[0] * end[1].exp()).sum();
  const std::vector<Tensor> inputs{iteration.w, iteration.start};
  const auto first = grad({value}, inputs, {}, true, true);
  return {value, first, grad({first[0].sum() + first[1].square().sum()}, inputs)};
}

TEST(Unroll, CheckpointsChangeNoDerivative) {
  const PairIteration iteration;
  const Derivatives expected = of(iteration, unroll(iteration.begin(), iteration.next()));
  for (const std::int64_t every : {1, 2, 3, 7, 100}) {
    const Derivatives got = of(iteration, unroll_checkpointed(iteration.begin(), iteration.next(), every));
    EXPECT_TRUE(close(got.value, expected.value, 1e-14)) << every;
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(close(got.first[i], expected.first[i], 1e-13)) << every;
      EXPECT_TRUE(close(got.second[i], expected.second[i], 1e-12)) << every;
    }
    EXPECT_EQ(iteration.decisions, iteration.length) << "decided again in the backward pass";
  }
}

TEST(Unroll, ASampleThatDoesNotMoveKeepsItsState) {
  PairIteration iteration;
  iteration.length = 2;
  const State two = unroll(iteration.begin(), iteration.next());
  iteration.length = 1;
  const State one = unroll(iteration.begin(), iteration.next());
  EXPECT_TRUE(identical(two[0][1], one[0][1]));
  EXPECT_FALSE(identical(two[0][0], one[0][0]));
}

TEST(Unroll, NoStepIsTheStart) {
  PairIteration iteration;
  iteration.length = 0;
  for (const State& end : {unroll(iteration.begin(), iteration.next()),
                           unroll_checkpointed(iteration.begin(), iteration.next(), 3)}) {
    EXPECT_TRUE(identical(end[0], iteration.start));
    EXPECT_TRUE(close(grad({end[0].sum()}, {iteration.start})[0], torch::ones({2, 3}, options()), 0.0));
  }
}

TEST(Unroll, WithoutGradientsRecordsNothing) {
  const torch::NoGradGuard off;
  const PairIteration iteration;
  const State end = unroll_checkpointed(iteration.begin(), iteration.next(), 2);
  EXPECT_FALSE(end[0].requires_grad());
  EXPECT_TRUE(close(end[0], unroll(iteration.begin(), iteration.next())[0], 0.0));
}

}  // namespace
}  // namespace stillpoint::test
