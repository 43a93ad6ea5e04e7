// Memory: constant in the iterations, constant over training, nothing left behind.
#include <gtest/gtest.h>

#include "equations/candidates.h"
#include "linear/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"
#include "support/memory.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

std::int64_t peak_of_forward(FixedPointOptions options, std::int64_t iterations) {
  options.tolerance = {.relative = 0.0, .absolute = 0.0};
  options.max_iterations = iterations;
  options.on_failure = OnFailure::Ignore;
  // A rotation by one radian, on which nothing converges and Picard's residual never changes.
  const double c = std::cos(1.0), s = std::sin(1.0);
  const Tensor rotation =
      torch::tensor({{c, s}, {-s, c}}, torch::kDouble).to(test::options()).requires_grad_();
  const Tensor x = normal({64, 1, 2}), z0 = zeros({64, 16, 2});
  const Map f = [&](const Tensor& z) { return torch::matmul(z - x, rotation) + x; };
  fixed_point(f, z0, options);  // LibTorch allocates a few things the first time
  const MemoryMeter memory;
  const auto solution = fixed_point(f, z0, options);
  EXPECT_EQ(*std::max_element(solution.stats.iterations.begin(), solution.stats.iterations.end()),
            iterations);
  return memory.peak_bytes();
}

TEST(Memory, OfTheForwardPassDoesNotDependOnTheIterations) {
  const FixedPointOptions picard{.solver = Picard{}}, damped{.solver = Picard{.damping = 0.999}};
  const FixedPointOptions phantom{.solver = Picard{}, .gradient = PhantomGradient{}};
  EXPECT_EQ(peak_of_forward(picard, 10), peak_of_forward(picard, 10'000));
  EXPECT_EQ(peak_of_forward(damped, 10), peak_of_forward(damped, 100));
  EXPECT_EQ(peak_of_forward(phantom, 10), peak_of_forward(phantom, 1'000));
  const torch::NoGradGuard off;
  EXPECT_EQ(peak_of_forward(picard, 10), peak_of_forward(picard, 1'000));
}

TEST(Memory, OfAReversalDoesNotDependOnTheIterations) {
  const auto peaks = [](std::int64_t iterations) {
    const Tensor x = normal({64, 16}).requires_grad_();
    const FixedPointOptions options{.solver = Reversible{.mixing = 0.01},
                                    .gradient = ReversibleGradient{},
                                    .tolerance = {.relative = 0.0, .absolute = 0.0},
                                    .max_iterations = iterations,
                                    .on_failure = OnFailure::Ignore};
    const auto pass = [&] {
      const Map f = [&](const Tensor& z) { return torch::tanh(0.5 * z + x); };
      grad({fixed_point(f, zeros({64, 16}), options).value.sum()}, {x});
    };
    pass();  // LibTorch allocates a few things the first time
    const MemoryMeter memory;
    pass();
    return memory.peak_bytes();
  };
  EXPECT_EQ(peaks(10), peaks(1'000));
}

TEST(Memory, OfCheckpointsLiesBetween) {
  const auto peak = [](const GradientRule& rule) {
    return peak_of_forward({.solver = Picard{}, .gradient = rule}, 400);
  };
  const auto unrolled = peak(UnrolledGradient{}), checkpointed = peak(CheckpointedGradient{.every = 20});
  EXPECT_GT(unrolled, 5 * checkpointed);
  EXPECT_GT(checkpointed, peak(ImplicitGradient{}));
}

struct Training {
  Tensor w = (normal({3, 3}) * 0.2).requires_grad_(), x = normal({2, 3}), target = normal({2, 3});

  void step(const FixedPointOptions& options) {
    const Tensor contraction = w * (0.8 / (1 + w.norm()));  // wherever training leads
    const Map cell = [=, this](const Tensor& y) { return torch::tanh(y.matmul(contraction) + x); };
    const Tensor z = fixed_point(cell, torch::zeros_like(x), options).value;
    (z - target).square().sum().backward();
    const torch::NoGradGuard off;
    w -= 0.01 * w.grad();
    w.mutable_grad().zero_();
  }

  void steps(const FixedPointOptions& options, int count) {
    for (int i = 0; i < count; ++i) step(options);
  }
};

void expect_no_growth(const FixedPointOptions& options, int before, int in_all) {
  Training training;
  const MemoryMeter memory;
  training.steps(options, before);
  const auto bytes = memory.live_bytes(), blocks = memory.live_blocks();
  training.steps(options, in_all - before);
  EXPECT_EQ(memory.live_bytes(), bytes);
  EXPECT_EQ(memory.live_blocks(), blocks);
}

TEST(Memory, DoesNotGrowInTenThousandTrainingSteps) { expect_no_growth({}, 100, 10'000); }

TEST(Memory, DoesNotGrowWhateverTheChoices) {
  for (const SolverCandidate& candidate : solver_candidates()) {
    SCOPED_TRACE(candidate.name);
    expect_no_growth({.solver = candidate.solver}, 20, 200);
  }
  for (const LinearCandidate& candidate : general_linear_candidates()) {
    SCOPED_TRACE(candidate.name);
    expect_no_growth({.gradient = ImplicitGradient{.linear_solver = candidate.solver}}, 20, 200);
  }
  for (const GradientCandidate& candidate : gradient_candidates()) {
    SCOPED_TRACE(candidate.name);
    expect_no_growth({.solver = candidate.solver, .gradient = candidate.gradient}, 20, 200);
  }
}

TEST(Memory, NothingOutlivesTheOutput) {
  const Tensor w = (normal({3, 3}) * 0.2).requires_grad_(), x = normal({2, 3}).requires_grad_();
  for (const SolverCandidate& candidate : solver_candidates()) {
    const MemoryMeter memory;
    {
      const auto solution = fixed_point([&](const Tensor& z) { return torch::tanh(z.matmul(w) + x.sin()); },
                                        zeros({2, 3}), {.solver = candidate.solver});
      EXPECT_GT(memory.live_bytes(), 0);
    }
    EXPECT_EQ(memory.live_blocks(), 0) << candidate.name << ", no backward pass";
    {
      const auto solution = fixed_point([&](const Tensor& z) { return torch::tanh(z.matmul(w) + x.sin()); },
                                        zeros({2, 3}), {.solver = candidate.solver});
      grad({solution.value.sum()}, {w, x});
    }
    EXPECT_EQ(memory.live_blocks(), 0) << candidate.name << ", one backward pass";
    {
      const auto solution = fixed_point([&](const Tensor& z) { return torch::tanh(z.matmul(w) + x.sin()); },
                                        zeros({2, 3}), {.solver = candidate.solver});
      const auto first = grad({solution.value.pow(3).sum()}, {w, x}, {}, true, true);
      const auto second = grad({first[0].sin().sum() + first[1].sum()}, {w, x}, {}, true, true);
      grad({second[0].sin().sum()}, {w, x}, {}, false, false, true);
    }
    EXPECT_EQ(memory.live_blocks(), 0) << candidate.name << ", three backward passes";
    EXPECT_EQ(memory.live_bytes(), 0) << candidate.name;
  }
}

TEST(Memory, NothingOutlivesALayerInsideALayer) {
  const Tensor w = (normal({3, 3}) * 0.1).requires_grad_(), x = normal({2, 3}).requires_grad_();
  const MemoryMeter memory;
  {
    const Map inner = [&](const Tensor& z) {
      return fixed_point([&w = w, z](const Tensor& y) { return 0.5 * torch::sin(y.matmul(w) + z); },
                         torch::zeros_like(z))
          .value;
    };
    const auto z =
        fixed_point([&](const Tensor& y) { return torch::tanh(inner(y) + x); }, zeros({2, 3})).value;
    const auto first = grad({z.sum()}, {w, x}, {}, true, true);
    grad({first[0].sum()}, {w, x});
  }
  EXPECT_EQ(memory.live_blocks(), 0);
}

TEST(Memory, AfterTheBackwardPassOnlyTheValueRemains) {
  const Tensor x = normal({2, 3}).requires_grad_();
  const MemoryMeter memory;
  const auto [value, stats] =
      fixed_point([&](const Tensor& z) { return torch::tanh(0.5 * z + x); }, zeros({2, 3}));
  grad({value.sum()}, {x});
  EXPECT_EQ(memory.live_blocks(), 1);
}

TEST(Memory, NothingOutlivesAReversal) {
  const Tensor x = normal({2, 3}).requires_grad_();
  for (const torch::Dtype dtype : {torch::kDouble, torch::kFloat}) {
    const MemoryMeter memory;
    const auto solve = [&] {
      return fixed_point([&](const Tensor& z) { return torch::tanh(0.4 * z + x.to(dtype)); },
                         zeros({2, 3}, dtype),
                         {.solver = Reversible{}, .gradient = ReversibleGradient{.checkpoint_every = 3}});
    };
    { const auto unused = solve(); }
    EXPECT_EQ(memory.live_blocks(), 0) << "no backward pass";
    {
      const auto solution = solve();
      grad({solution.value.sum()}, {x});
      EXPECT_EQ(memory.live_blocks(), 1) << "one backward pass";
    }
    {
      const auto solution = solve();
      const auto first = grad({solution.value.pow(3).sum()}, {x}, {}, true, true);
      grad({first[0].sin().sum()}, {x});
    }
    EXPECT_EQ(memory.live_blocks(), 0) << "two backward passes";
  }
}

TEST(Memory, AfterTheBackwardPassNothingIsLeftOfTheSolversWork) {
  const Tensor x = normal({2, 3}).requires_grad_();
  for (const SolverCandidate& candidate : inverse_candidates()) {
    const MemoryMeter memory;
    const auto [value, stats] = fixed_point(
        [&](const Tensor& z) { return torch::tanh(0.5 * z + x); }, zeros({2, 3}),
        {.solver = candidate.solver, .gradient = ImplicitGradient{.reuse = Reuse::Preconditioner}});
    EXPECT_GT(memory.live_blocks(), 1);
    grad({value.sum()}, {x});
    EXPECT_EQ(memory.live_blocks(), 1) << candidate.name;
  }
}

}  // namespace
}  // namespace stillpoint::test
