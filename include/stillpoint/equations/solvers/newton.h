#pragma once

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Newton's method on f(z) − z or f(z) = 0. It writes out and factorizes the Jacobian of each sample: N
/// Jacobian products, B·N² numbers and O(B·N³) operations per iteration for samples of width N. Quadratic
/// convergence. Samples must not mix in f.
///
/// A step must decrease the residual of its sample (Armijo, factor 1e-4). If the full step of a fixed point
/// does not, the plain step f(z) − z is tried, because it is drawn to fixed points that attract. (Far from a
/// solution the Newton step can point at one that repels, and would still go there if shortened.) Then the
/// Newton step is halved, at most `max_halvings` times.
///
/// If the Jacobian is singular, or so nearly that the step would be rounding error, the step is the shortest
/// least-squares solution, with the columns of the Jacobian scaled to one size. That costs this sample a
/// singular value decomposition. (Dennis, Schnabel 1983, section 6.3; the shortest step: Ben-Israel 1966, J.
/// Math. Anal. Appl. 15.)
struct Newton {
  static constexpr bool solves_roots = true;
  std::int64_t max_halvings = 8;  ///< ≥ 0

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* inverse = nullptr) const;
};

}  // namespace stillpoint
