#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "stillpoint/ode/gradient.h"

namespace stillpoint::ode {

/// The exact derivative of the numbers that the solver computed, its accepted steps frozen: to any order, in
/// y0, in all times and in whatever f captured. (Discretize, then optimize.)
///
/// **Exactness.** To rounding, of the discrete map. Beside the true solution's derivative it is wrong by the
/// order of the method, with a larger factor than the value: tighten the tolerance where that matters.
///
/// **Cost.** Forward: one recorded evaluation more. The state at the start of each step is kept, or with
/// `checkpoints` no more than so many, whatever the number of steps; the ends of all steps stay on the host,
/// about a hundred bytes each. Backward: each step is taken again, recorded, and pulled back. Between
/// checkpoints, n steps are taken again without a record from log₂ n states beside them, as few times as
/// that allows: at most r times each, where C(1 + log₂ n + r, r) ≥ n. Derivatives of higher order keep a
/// state a step, and take the steps once more each. (Griewank, Walther 2000, "Algorithm 799: revolve".)
///
/// To keep what all steps record, and take none again, choose `Unrolled`.
///
/// **Errors** in the backward pass: a c10::Error if a step, taken again, has another value than it had, if f
/// captured a leaf that has been edited since, or if it reads a tensor requiring a gradient that it did not
/// read where the solve starts. `Unrolled` finds such a tensor.
struct Discrete {
  /// ≥ 2: the most states that are kept until a first-order backward pass. Empty: one a step.
  std::optional<std::int64_t> checkpoints = {};

  std::int64_t states() const;
  at::Tensor differentiate(const Frozen& frozen) const;
};

}  // namespace stillpoint::ode
