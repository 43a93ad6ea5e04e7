#pragma once

#include <cstdint>

#include "stillpoint/equations/gradient.h"

namespace stillpoint {

/// Differentiates the iteration of `Reversible` by running it backwards. This is the exact derivative of what
/// was computed, in z0 and in everything that f captured, and its memory does not depend on the iterations.
/// Goes only with `Reversible`. Each sample stops at the iterate that converged; one that did not converge
/// returns its last iterate. (McCallum, Arora, Foster 2025, section 3.)
///
/// **Rounding.** Exact means up to rounding, and each step backwards divides by 1 − mixing. So rounding in
/// double, 1e-16, grows to 1e-16 / (1 − mixing)ᵏ after k steps: for 0.8 to 1e-9 after 10 steps and to 1e-2
/// after 20. What a contraction has forgotten cannot be found again, so use few steps, or checkpoints. The
/// distance from z0 at which the reversal ends is measured, and is the residual in `Stats::backward`. Beyond
/// `drift` the sample is inaccurate, and `on_failure` is obeyed.
///
/// **Higher orders.** A backward pass that creates a graph iterates again from z0 instead, and keeps all
/// steps. It is exact to any order, without that growth, with memory for 2 · iterations evaluations and more.
///
/// Errors: a c10::Error naming the option if it is out of range, or naming the solver if that is not
/// `Reversible`. Cost: one recorded evaluation and those of the solve; in the backward pass two recorded
/// evaluations and two pull backs per step.
struct ReversibleGradient {
  /// ≥ 0, in steps: keep the pair after each this many, and go on from there in the reversal, so that
  /// rounding grows only over this many steps. Memory for 2 · iterations / checkpoint_every states in double.
  /// 0: keep none.
  std::int64_t checkpoint_every = 0;
  /// Allowed distance, relative to z, from the points that the reversal comes back to: z0 and the
  /// checkpoints. The error of the gradient is about as large as the drift, times how strongly f bends.
  Tolerance drift = {.relative = 1e-4, .absolute = 1e-6};

  at::Tensor differentiate(Problem& problem) const;
};

}  // namespace stillpoint
