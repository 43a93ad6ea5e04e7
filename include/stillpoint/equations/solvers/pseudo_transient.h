#pragma once

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Pseudo-transient continuation: follows dz/dt = r(z), with r = f(z) − z or g(z), to its steady state by
/// linearly implicit Euler steps (I / δ − ∂r/∂z) d = r, whose step δ grows as the residual falls:
/// δ ← δ ‖r_before‖ / ‖r‖ (switched evolution relaxation). Near the solution it becomes Newton's method; far
/// from it, it goes where the flow leads, so to an equilibrium that attracts, and the residual may rise on
/// the way. For each sample the Jacobian is written out and factorized, at the cost of `Newton`. Samples must
/// not mix in f. Where the matrix is singular, the step is the shortest least-squares solution. One that
/// leads to where the residual is not finite, or leaves it as it is, is taken back and δ divided by ten.
/// (Kelley, Keyes 1998, SIAM J. Numer. Anal. 35(2), equation 1.5.)
struct PseudoTransient {
  static constexpr const char* name = "pseudo-transient continuation";
  static constexpr bool solves_roots = true;
  double first_step = 1.0;  ///< > 0: δ of the first step, in units of the flow's time

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
