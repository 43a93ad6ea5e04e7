#pragma once

#include "stillpoint/optim/least_squares_solver.h"

namespace stillpoint::optim {

/// The method of Gauss and Newton: the step is least in ‖r + J d‖, by an orthogonal factorization, and the
/// shortest of those where J has not full rank. It is halved until the cost falls; where that does not help,
/// steepest descent takes its place.
///
/// For starts near the solution, and for small residuals, where it takes the fewest steps. Cost of a step for
/// M residuals of N unknowns: one evaluation or a few, min(M, 2N) products, 2 B M N² operations. (Nocedal,
/// Wright 2006, section 10.3.)
struct GaussNewton {
  void solve(detail::Fit& fit) const;
};

}  // namespace stillpoint::optim
