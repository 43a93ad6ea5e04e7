#pragma once

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Pseudo-transient continuation: follows the flow dz/dt = r(z), with r = f(z) − z or g(z), to its steady
/// state.
///
/// It takes linearly implicit Euler steps (I / δ − ∂r/∂z) d = r. The step δ grows as the residual falls: δ ←
/// δ ‖r_before‖ / ‖r‖ (switched evolution relaxation). Near the solution this becomes Newton's method. Far
/// from it, it goes where the flow leads, which is to an equilibrium that attracts, and the residual may rise
/// on the way.
///
/// The Jacobian of each sample is written out and factorized, at the cost of `Newton`. Samples must not mix
/// in f. If the matrix is singular, the step is the shortest least-squares solution. If a step leads to a
/// residual that is not finite, or leaves the residual as it is, it is taken back and δ is divided by ten.
/// (Kelley, Keyes 1998, SIAM J. Numer. Anal. 35(2), equation 1.5.)
struct PseudoTransient {
  static constexpr bool solves_roots = true;
  double first_step = 1.0;  ///< > 0: δ of the first step, in units of the flow's time

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
