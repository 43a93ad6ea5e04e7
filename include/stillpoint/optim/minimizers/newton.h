#pragma once

#include "stillpoint/optim/minimizer.h"

namespace stillpoint::optim {

/// Newton's method for minima. It writes out the Hessian of each sample and factorizes it by Cholesky. Where
/// that is not positive definite, the step is taken with the absolute values of its eigenvalues, so that it
/// descends and is pushed away from saddles and maxima. A line search follows, which takes the full step near
/// a minimum.
///
/// Quadratic convergence. Cost of a step for samples of width N: N Hessian products, B·N² numbers, B·N³/3
/// operations; where a Cholesky factor does not exist, an eigenvalue decomposition. (Greenstadt 1967,
/// Mathematics of Computation 21; Nocedal, Wright 2006, section 3.4.)
struct Newton {
  static constexpr bool offers_steps = true;

  void minimize(detail::Descent& descent) const;
};

}  // namespace stillpoint::optim
