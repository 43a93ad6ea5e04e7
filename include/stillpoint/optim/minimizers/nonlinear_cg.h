#pragma once

#include "stillpoint/optim/minimizer.h"

namespace stillpoint::optim {

/// Nonlinear conjugate gradients after Polak and Ribière, restarted where the formula is negative or the
/// gradients are far from orthogonal. It takes no bounds: where they turn a direction, nothing is left of
/// what the method builds on. The memory of three states. Linear convergence, mostly slower than `Lbfgs`.
/// Cost of a step: two or three evaluations of the objective and its gradient, because the search has to be
/// more exact. (Nocedal, Wright 2006, section 5.2; Powell 1977, Mathematical Programming 12.)
struct NonlinearCg {
  void minimize(detail::Descent& descent) const;
};

}  // namespace stillpoint::optim
