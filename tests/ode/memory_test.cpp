// What training with odeint leaves behind: nothing.
#include <gtest/gtest.h>

#include <vector>

#include "ode/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/memory.h"

namespace stillpoint::test {
namespace {

struct Training {
  Tensor w = torch::full({2, 2}, .3, torch::requires_grad());
  Tensor y0 = torch::ones({1, 2});
  OdeintOptions options;

  void step() {
    const auto f = [w = w](const Tensor& y) { return torch::tanh(torch::mm(y, w)); };
    odeint(f, y0, {0, 1}, options).value.sum().backward();
    const torch::NoGradGuard no_grad;
    w -= .001 * w.grad();
    w.mutable_grad().reset();
  }
};

TEST(OdeintMemory, TenThousandTrainingStepsLeakNothing) {
  Training training{.options = {.method = ode::Euler{}, .control = ode::ConstantStep{.5}}};
  const MemoryMeter memory;
  training.step();
  const auto bytes = memory.live_bytes();
  const auto blocks = memory.live_blocks();
  for (int k = 0; k < 10000; ++k) training.step();
  EXPECT_EQ(memory.live_bytes(), bytes);
  EXPECT_EQ(memory.live_blocks(), blocks);
}

void expect_nothing_left(const OdeintOptions& options) {
  Training training{.options = options};
  const MemoryMeter memory;
  for (int k = 0; k < 3; ++k) {
    training.step();
    EXPECT_EQ(memory.live_bytes(), 0) << options.gradient.name();
    const auto f = [w = training.w](const Tensor& y) { return torch::tanh(torch::mm(y, w)); };
    odeint(f, training.y0, {0, 1}, options);
    EXPECT_EQ(memory.live_bytes(), 0) << options.gradient.name() << ", no backward pass";
    {
      const auto solution = odeint(f, training.y0, {0, 1}, options);
      const auto g = torch::autograd::grad({solution.value.square().sum()}, {training.w}, {}, true, true)[0];
      torch::autograd::grad({g.square().sum()}, {training.w});
    }
    EXPECT_EQ(memory.live_bytes(), 0) << options.gradient.name() << ", two backward passes";
  }
}

TEST(OdeintMemory, NothingOutlivesTheSolution) {
  const std::vector<ode::GradientRule> rules{ode::Discrete{}, ode::Discrete{.checkpoints = 2},
                                             ode::Unrolled{}, ode::Interpolating{}, ode::Backsolve{}};
  for (const ode::GradientRule& rule : rules)
    expect_nothing_left({.gradient = rule, .save = ode::SaveDense{}});
  expect_nothing_left({.method = ode::ReversibleHeun{}, .gradient = ode::Reversible{}});
}

}  // namespace
}  // namespace stillpoint::test
