// What a tape owes to graphs that it does not own, and to threads.
#include <gtest/gtest.h>

#include <thread>

#include "stillpoint/autograd/tape.h"
#include "support/compare.h"
#include "support/device.h"
#include "support/memory.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

TEST(Tape, AGraphThatOthersHoldIsLeftAsItIs) {
  const Tensor w = normal({4, 4}).requires_grad_(), z = normal({3, 4}), v = normal({3, 4});
  Tensor shared_part;
  const Tape tape(
      [&](const Tensor& y) {
        shared_part = torch::tanh(y.matmul(w));
        return shared_part * w[0];
      },
      z);
  const Tensor expected = grad({torch::tanh(z.matmul(w)).sum()}, {w})[0];
  const Tensor product = tape.vjp(v);
  EXPECT_TRUE(close(grad({shared_part.sum()}, {w}, {}, /*retain_graph=*/true)[0], expected, 1e-14));
  EXPECT_TRUE(identical(tape.vjp(v), product));
  tape.pull_back(v);
  EXPECT_TRUE(close(grad({shared_part.sum()}, {w}, {}, /*retain_graph=*/true)[0], expected, 1e-14));
  EXPECT_TRUE(identical(tape.vjp(v), product));
}

TEST(Tape, AGraphMadeBeforehandSurvivesItsReplays) {
  const Tensor w = normal({4, 4}).requires_grad_();
  const Tensor upstream = torch::tanh(w.matmul(w));
  const Tape tape([&](const Tensor& z) { return z.matmul(upstream); }, normal({3, 4}));
  const Tensor v = normal({3, 4});
  for (int i = 0; i < 3; ++i) tape.pull_back(v);
  const Tensor first = grad({upstream.sum()}, {w}, {}, /*retain_graph=*/true)[0];
  tape.pull_back(v);
  EXPECT_TRUE(identical(grad({upstream.sum()}, {w})[0], first));
}

TEST(Tape, NothingAccumulatesInLeaves) {
  const Tensor w = normal({4, 4}).requires_grad_();
  const Tape tape([&](const Tensor& z) { return z.matmul(w); }, normal({3, 4}));
  tape.vjp(normal({3, 4}));
  tape.pull_back(normal({3, 4}));
  EXPECT_FALSE(w.grad().defined());
}

TEST(Tape, RecordsWhenGradientsAreOff) {
  const torch::NoGradGuard off;
  const Tensor w = normal({4, 4}).requires_grad_(), v = normal({3, 4});
  const Tape tape([&](const Tensor& z) { return z.matmul(w); }, normal({3, 4}));
  EXPECT_EQ(tape.captured().size(), 1u);
  EXPECT_TRUE(close(tape.vjp(v), v.matmul(w.t()), 1e-14));
  EXPECT_FALSE(tape.vjp(v).requires_grad());
  EXPECT_FALSE(torch::GradMode::is_enabled());
}

TEST(Tape, ADetachedOneEndsAtZ) {
  const Tensor z = normal({3, 4}).requires_grad_(), v = normal({3, 4});
  const Tape detached([](const Tensor& y) { return y.pow(3); }, z);
  EXPECT_TRUE(detached.captured().empty());
  EXPECT_FALSE(grad({detached.vjp(v, true).sum()}, {z}, {}, true, false, /*allow_unused=*/true)[0].defined());
  const Tape connected([](const Tensor& y) { return y.pow(3); }, z, Tape::Input::Connected);
  EXPECT_TRUE(close(grad({connected.vjp(v, true).sum()}, {z})[0], 6 * z.detach() * v, 1e-14));
}

TEST(Tape, CanBeMoved) {
  Tape first([](const Tensor& y) { return y.sin(); }, zeros({2, 2}));
  Tape second = std::move(first);
  const Tensor v = normal({2, 2});
  EXPECT_TRUE(identical(second.vjp(v), v));
  first = std::move(second);
  EXPECT_TRUE(identical(first.vjp(v), v));
}

TEST(Tape, ReplaysOnAnotherThread) {
  const Tensor w = normal({4, 4}).requires_grad_(), v = normal({3, 4});
  const Tape tape([&](const Tensor& z) { return torch::tanh(z.matmul(w)); }, normal({3, 4}));
  const Tensor here = tape.vjp(v);
  Tensor there;
  std::thread([&] { there = tape.vjp(v); }).join();
  EXPECT_TRUE(identical(there, here));
}

TEST(Tape, WhatTheMapThrowsPassesThrough) {
  EXPECT_THROW(Tape([](const Tensor&) -> Tensor { throw std::domain_error("mine"); }, zeros({2, 2})),
               std::domain_error);
}

// A backward pass that asked for one input alone must not keep a tape inside it from its other gradients.
struct VjpInside : torch::autograd::Node {
  const Tape* tape;
  mutable Tensor product, pulled_back;
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    product = tape->vjp(gradients[0]);
    pulled_back = tape->pull_back(gradients[0])[0];
    return {product};
  }
};

TEST(Tape, ReplaysInsideABackwardPassOfSelectedInputs) {
  const Tensor w = normal({4, 4}).requires_grad_(), x = normal({3, 4}).requires_grad_(), v = normal({3, 4});
  const Tape tape([&](const Tensor& z) { return torch::tanh(z.matmul(w)); }, x);
  const Tensor product = tape.vjp(v), pulled_back = tape.pull_back(v)[0];

  const std::shared_ptr<VjpInside> node(new VjpInside, torch::autograd::deleteNode);
  node->tape = &tape;
  node->set_next_edges({torch::autograd::impl::gradient_edge(x)});
  Tensor out = tape.value().clone();
  torch::autograd::create_gradient_edge(out, node);
  EXPECT_TRUE(identical(grad({out}, {x}, {v})[0], product));
  EXPECT_TRUE(identical(node->product, product));
  EXPECT_TRUE(identical(node->pulled_back, pulled_back));
}

TEST(Tape, FreesItsGraph) {
  const Tensor w = normal({4, 4}).requires_grad_(), z = normal({3, 4}), v = normal({3, 4});
  const MemoryMeter memory;
  {
    const Tape tape([&](const Tensor& y) { return torch::tanh(y.matmul(w)).exp(); }, z,
                    Tape::Input::Connected);
    tape.pull_back(tape.vjp(v, true), true);
    EXPECT_GT(memory.live_bytes(), 0);
  }
  EXPECT_EQ(memory.live_bytes(), 0);
  EXPECT_EQ(memory.live_blocks(), 0);
}

}  // namespace
}  // namespace stillpoint::test
