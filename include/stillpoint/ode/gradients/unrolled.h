#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stillpoint/ode/gradient.h"

namespace stillpoint::ode {

/// Autograd through the accepted steps, all of them recorded: the derivatives of `Discrete`, for memory that
/// grows with the evaluations. Forward: each accepted step is taken once more. A reference, and for f that
/// reads other tensors in other steps.
struct Unrolled {
  std::int64_t states() const { return 0; }
  at::Tensor differentiate(const Frozen& frozen) const;
};

}  // namespace stillpoint::ode
