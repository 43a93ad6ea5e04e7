#pragma once

#include "stillpoint/equations/gradient.h"

namespace stillpoint {

/// Differentiates `steps` damped steps z ← (1 − damping) z + damping f(z), taken from z*. This is an
/// approximation, a truncated Neumann series. Its error falls by the contraction factor of the damped map per
/// step. No linear solve; memory for `steps` evaluations. Goes with any solver of `fixed_point`, and with any
/// of `minimize`, where f is a step down the gradient.  (Geng et al. 2021; one undamped step is the
/// Jacobian-free gradient of Fung et al. 2022.)
struct PhantomGradient {
  std::int64_t steps = 5;  ///< ≥ 1
  double damping = 1.0;    ///< in (0, 1]

  at::Tensor differentiate(Problem& problem) const;
};

}  // namespace stillpoint
