#include "stillpoint/autograd/recompute.h"

#include <gtest/gtest.h>

#include "support/compare.h"
#include "support/layer_check.h"
#include "support/memory.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

// Two recomputed pieces in a row; what the second one captures depends on what the first one did.
Tensor pieces(const std::vector<Tensor>& inputs, bool recomputed) {
  const auto run = [recomputed](const Map& f, const Tensor& x) {
    return recomputed ? recompute(f, x) : f(x);
  };
  const Tensor w = inputs[0], upstream = inputs[1].sin() * 2, own = inputs[2];
  const Tensor y = run([=](const Tensor& x) { return torch::tanh(x.matmul(w) + upstream) * x; }, own);
  return run([=](const Tensor& x) { return x.cos() * y + (x * own).sum(1, true); }, y * 0.5);
}

std::vector<Tensor> inputs() {
  return {normal({4, 4}).requires_grad_(), normal({3, 4}).requires_grad_(), normal({3, 4}).requires_grad_()};
}

TEST(Recompute, IsExactToThirdOrder) {
  const auto at = inputs();
  const auto plain = derivatives([](const auto& t) { return pieces(t, false); }, at, 3);
  const auto again = derivatives([](const auto& t) { return pieces(t, true); }, at, 3);
  for (std::size_t order = 0; order < plain.size(); ++order) {
    for (std::size_t i = 0; i < plain[order].size(); ++i) {
      EXPECT_TRUE(close(again[order][i], plain[order][i], 1e-12)) << "order " << order << ", input " << i;
    }
  }
}

TEST(Recompute, NestsInItself) {
  const Tensor w = normal({4, 4}).requires_grad_(), x = normal({3, 4}).requires_grad_();
  const Map cell = [&](const Tensor& z) { return torch::tanh(z.matmul(w)); };
  const Map outer = [&](const Tensor& z) { return recompute(cell, recompute(cell, z)) * x; };
  const auto actual = grad({recompute(outer, x).sum()}, {w, x});
  const auto expected = grad({(cell(cell(x)) * x).sum()}, {w, x});
  EXPECT_TRUE(close(actual[0], expected[0], 1e-13));
  EXPECT_TRUE(close(actual[1], expected[1], 1e-13));
}

TEST(Recompute, CallsTheMapAgainInTheBackwardPassOnly) {
  const Tensor x = normal({3, 4}).requires_grad_();
  int calls = 0;
  const Map f = [&](const Tensor& z) {
    ++calls;
    return z.sin();
  };
  const Tensor y = recompute(f, x);
  EXPECT_EQ(calls, 1);
  grad({y.sum()}, {x}, {}, /*retain_graph=*/true);
  EXPECT_EQ(calls, 2);
  const Tensor first = grad({y.sum()}, {x}, {}, true, true)[0];
  EXPECT_EQ(calls, 3);
  EXPECT_TRUE(close(grad({first.sum()}, {x})[0], -x.detach().sin(), 1e-15));
}

TEST(Recompute, KeepsOnlyItsArgument) {
  constexpr std::int64_t kPieces = 20, bytes = 64 * 64 * 8;
  const Tensor w = normal({64, 64}).requires_grad_(), x = normal({64, 64}).requires_grad_();
  const Map f = [&](const Tensor& z) { return torch::tanh(torch::sin(z.matmul(w)) * z).exp() * 0.1; };
  const auto live_after_forward = [&](bool recomputed) {
    const MemoryMeter memory;
    Tensor y = x;
    for (int i = 0; i < kPieces; ++i) y = recomputed ? recompute(f, y) : f(y);
    return memory.live_bytes();
  };
  EXPECT_EQ(live_after_forward(true), kPieces * bytes);
  EXPECT_GT(live_after_forward(false), 4 * kPieces * bytes);
}

TEST(Recompute, FreesEverythingInTheEnd) {
  const Tensor w = normal({4, 4}).requires_grad_(), x = normal({3, 4}).requires_grad_();
  const MemoryMeter memory;
  {
    const Tensor y = recompute([&](const Tensor& z) { return torch::tanh(z.matmul(w)); }, x);
    const Tensor first = grad({y.sum()}, {w}, {}, true, true)[0];
    grad({first.square().sum()}, {w, x});
  }
  EXPECT_EQ(memory.live_bytes(), 0);
}

TEST(Recompute, RecordsNothingWhereNothingIsWanted) {
  const Tensor x = normal({3, 4});
  EXPECT_FALSE(recompute([](const Tensor& z) { return z.sin(); }, x).requires_grad());
  const Tensor leaf = x.clone().requires_grad_();
  const torch::NoGradGuard off;
  EXPECT_FALSE(recompute([](const Tensor& z) { return z.sin(); }, leaf).requires_grad());
}

TEST(Recompute, TakesMapsThatIgnoreTheirArgumentOrCaptureNothing) {
  const Tensor w = normal({3, 4}).requires_grad_(), x = normal({3, 4}).requires_grad_();
  const auto ignoring =
      grad({recompute([&](const Tensor&) { return w.sin(); }, x).sum()}, {w, x}, {}, true, false, true);
  EXPECT_TRUE(close(ignoring[0], w.detach().cos(), 1e-15));
  EXPECT_TRUE(!ignoring[1].defined() || ignoring[1].abs().max().item<double>() == 0.0);
  EXPECT_TRUE(close(grad({recompute([](const Tensor& z) { return z.sin(); }, x).sum()}, {x})[0],
                    x.detach().cos(), 1e-15));
  EXPECT_TRUE(
      identical(grad({recompute([](const Tensor& z) { return z; }, x).sum()}, {x})[0], torch::ones_like(x)));
}

TEST(Recompute, GradientsInSelectedInputsAreTheSame) {
  const auto at = inputs();
  const Tensor y = pieces(at, true).sum();
  const auto all = grad({y}, at, {}, true);
  for (std::size_t i = 0; i < at.size(); ++i)
    EXPECT_TRUE(identical(grad({y}, {at[i]}, {}, true)[0], all[i])) << i;
}

TEST(Recompute, AnArgumentEditedMeanwhileIsNoticed) {
  const Tensor leaf = normal({3, 4}).requires_grad_();
  const Tensor x = leaf * 1.0;
  const Tensor y = recompute([](const Tensor& z) { return z.sin(); }, x);
  {
    const torch::NoGradGuard off;
    x.add_(1.0);
  }
  EXPECT_THROW(grad({y.sum()}, {leaf}), c10::Error);
}

TEST(Recompute, BackwardTwiceNeedsTheGraphRetained) {
  const Tensor x = normal({3, 4}).requires_grad_();
  const Tensor y = recompute([](const Tensor& z) { return z.sin(); }, x);
  grad({y.sum()}, {x});
  EXPECT_THROW(grad({y.sum()}, {x}), c10::Error);
}

TEST(Recompute, WhatTheMapThrowsPassesThrough) {
  const Tensor x = normal({3, 4}).requires_grad_();
  const auto fail = [](const Tensor&) -> Tensor { throw std::domain_error("mine"); };
  EXPECT_THROW(recompute(fail, x), std::domain_error);
}

TEST(Recompute, GoesWithFixedPointsBothWays) {
  check_layer(
      [](const Solve& solve, const std::vector<Tensor>& in) {
        const Map cell = [=](const Tensor& z) { return torch::tanh(z.matmul(in[0]) + in[1]); };
        const Tensor inside =
            solve([=](const Tensor& z) { return recompute(cell, z); }, torch::zeros_like(in[1]));
        // By value: the piece is computed again when this function has returned.
        const Map around = [solve, w = in[0], x = in[1]](const Tensor& y) {
          return solve([=](const Tensor& z) { return torch::tanh(z.matmul(w) + y * x); },
                       torch::zeros_like(x));
        };
        return inside + recompute(around, in[1].sin());
      },
      {shared(normal({3, 3}) * 0.15), per_sample(normal({2, 3}))}, {.orders = 3});
}

}  // namespace
}  // namespace stillpoint::test
