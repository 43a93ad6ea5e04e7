#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/ode/gradient.h"

namespace stillpoint::ode {

/// The exact derivative of the numbers that the solver computed, its accepted steps frozen: to any order, in
/// y0, in all times and in whatever f captured. (Discretize, then optimize.)
///
/// **Exactness.** To rounding, of the discrete map. Beside the true solution's derivative it is wrong by the
/// order of the method, with a larger factor than the value: tighten the tolerance where that matters.
///
/// **Cost.** Forward: one recorded evaluation more. The state at the start of each step is kept. Backward:
/// each step is taken again, recorded, and pulled back. Derivatives of higher order take the steps once more
/// each.
///
/// **Errors** in the backward pass: a c10::Error if a step, taken again, has another value than it had, if f
/// captured a leaf that has been edited since, or if it reads a tensor requiring a gradient that it did not
/// read where the solve starts. `Unrolled` finds such a tensor.
struct Discrete {
  at::Tensor differentiate(const Frozen& frozen) const;
};

}  // namespace stillpoint::ode
