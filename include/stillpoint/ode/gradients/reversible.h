#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stillpoint/core/solution.h"
#include "stillpoint/ode/gradient.h"

namespace stillpoint::ode {

/// The derivatives of `Discrete` for the memory of one step: the backward pass takes each step back instead
/// of remembering where it started. It needs a method that can: `ReversibleHeun`, `AsynchronousLeapfrog`,
/// `Leapfrog`, `SemiImplicitEuler`; and no events and no jumps, which cannot be taken back.
/// (Kidger et al. 2021, "Efficient and accurate gradients for neural SDEs"; Zhuang et al. 2021, MALI.)
///
/// **Exactness.** That of `Discrete`, but for rounding: steps taken back give the states to rounding times
/// what the equation makes of a small change over the rest of the way. By how much they miss y0 is measured;
/// `stats.backward->reconstruction` has it for each sample, in units of what is allowed: the square root of
/// what the dtype resolves, of the largest number of the sample at both ends.
///
/// **Cost.** Forward: one recorded evaluation more. Memory: one state, whatever the number of steps; their
/// ends stay on the host, about a hundred bytes each. Backward: each step is taken back, then recorded and
/// pulled back. Derivatives of higher order are those of `Discrete`, and keep a state a step.
///
/// **Errors.** A c10::Error if the method, an event or a jump cannot be taken back. In the backward pass: by
/// `on_failure`, if a sample misses its y0 by more than is allowed; and those of `Discrete`.
struct Reversible {
  OnFailure on_failure = OnFailure::Throw;  ///< if a sample does not come back to y0

  std::int64_t states() const { return 0; }
  at::Tensor differentiate(const Frozen& frozen) const;
};

}  // namespace stillpoint::ode
