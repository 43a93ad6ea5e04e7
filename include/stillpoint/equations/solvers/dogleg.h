#pragma once

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Powell's dogleg, a trust-region method. It takes the role of fsolve and MINPACK's hybrj, for systems and
/// starts where Newton's method with a line search is lost.
///
/// For each sample, the step minimizes the linear model along the path from the steepest descent's minimizer
/// to the Newton step, within a region. The radius of the region follows how well the model predicted the
/// residual. Variables are scaled by the largest column norms of the Jacobian seen so far, so their units do
/// not matter.
///
/// Each accepted step recomputes the Jacobian of each sample: N products, B·N² numbers, O(B·N³) operations. A
/// rejected step costs its evaluation. Samples must not mix in f. If the Jacobian is singular, the path ends
/// in the shortest least-squares solution, as in `Newton`. (Powell 1970, "A hybrid method for nonlinear
/// equations"; radius and acceptance as in Moré, Garbow, Hillstrom 1980, User guide for MINPACK-1, hybrj.)
struct Dogleg {
  static constexpr bool solves_roots = true;
  double first_radius = 100.0;  ///< > 0: relative to the scaled norm of z0, or 1 if that is zero

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
