#pragma once

#include <cstdint>

#include "stillpoint/equations/gradient.h"

namespace stillpoint {

/// Differentiates the iteration of `Reversible` by running it backwards: the exact derivative of what was
/// computed, in z0 and in everything that f captured, at memory that does not depend on the iterations. Goes
/// with `Reversible` only. Each sample stops at the iterate that converged; one that did not returns its
/// last iterate. (McCallum, Arora, Foster 2025, section 3.)
///
/// Exact means to rounding, and a step backwards divides by 1 − mixing: rounding in double, 1e-16, has grown
/// to 1e-16 / (1 − mixing)ᵏ after k steps, for 0.8 to 1e-9 after 10 steps and to 1e-2 after 20. What a
/// contraction has forgotten cannot be found again: the method is for few steps, or takes checkpoints. How
/// far the reversal ends from z0 is measured and reported in `Stats::backward`, as the residual; beyond
/// `drift` the sample is inaccurate, and `on_failure` is obeyed.
///
/// Higher orders: a backward pass that creates a graph iterates again from z0 instead, and keeps all steps.
/// It is exact to any order, without that growth, at memory for 2 · iterations evaluations and more.
///
/// Errors: a c10::Error naming the option if it is out of range, or naming the solver if that is another.
/// Cost: one recorded evaluation and the solve's; in the backward pass two recorded evaluations and two
/// pull backs a step.
struct ReversibleGradient {
  /// ≥ 0, in steps: keep the pair each time so many have been taken and go on from there in the reversal, so
  /// that rounding grows over so many steps only. Memory for 2 · iterations / checkpoint_every states in
  /// double. 0: none are kept.
  std::int64_t checkpoint_every = 0;
  /// Of the points, z0 and checkpoints, that the reversal comes back to, relative to z. The error of the
  /// gradient is about as large as the drift, times how strongly f bends.
  Tolerance drift = {.relative = 1e-4, .absolute = 1e-6};

  at::Tensor differentiate(FixedPointProblem& problem) const;
};

}  // namespace stillpoint
