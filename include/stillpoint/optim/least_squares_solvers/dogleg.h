#pragma once

#include "stillpoint/optim/least_squares_solver.h"

namespace stillpoint::optim {

/// Powell's dogleg: within a region of trust the step goes down the gradient, then towards that of Gauss and
/// Newton. The region is a ball in the variables that `LevenbergMarquardt` scales by, too. A rejected step
/// costs one evaluation and no factorization.
///
/// Cost of a step for M residuals of N unknowns: one evaluation, min(M, 2N) products, 2 B M N² operations.
/// (Powell 1970, "A hybrid method for nonlinear equations"; Nocedal, Wright 2006, section 4.1.)
struct Dogleg {
  /// > 0, relative to the start in scaled variables, 0.1 to 100. Lower it where first steps overflow.
  double first_radius = 1.0;

  void solve(detail::Fit& fit) const;
};

}  // namespace stillpoint::optim
