#pragma once

#include "stillpoint/optim/minimizer.h"

namespace stillpoint::optim {

/// The quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno, with the inverse Hessian of each sample
/// written out. Like `Lbfgs`, but it forgets nothing: superlinear convergence, for some hundreds of unknowns
/// at most. Cost of a step: one evaluation of the objective and its gradient, or a few; O(B·N²) numbers and
/// operations. (Nocedal, Wright 2006, algorithm 6.1, with the scaling of equation 6.20 before the first
/// update.)
struct Bfgs {
  void minimize(detail::Descent& descent) const;
};

}  // namespace stillpoint::optim
