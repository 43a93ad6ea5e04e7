#pragma once

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Newton's method on f(z) − z or f(z) = 0, with the Jacobian of each sample written out and factorized: N
/// Jacobian products, B·N² numbers and O(B·N³) operations an iteration for samples of width N. Quadratic
/// convergence. Samples must not mix in f.
///
/// A step must decrease the residual of its sample (Armijo, factor 1e-4). Where the full one does not, the
/// plain step f(z) − z is tried if a fixed point is sought, as it is drawn to those that attract (far from a
/// solution the Newton step can point at one that repels, and shortened it would still go there), and then
/// the Newton step halved at most `max_halvings` times. Where the Jacobian is singular, or so nearly that the
/// step would be rounding error, it is the shortest least-squares solution, with the columns of the Jacobian
/// scaled to one size; that sample then costs a singular value decomposition. (Dennis, Schnabel 1983, section
/// 6.3; the shortest step: Ben-Israel 1966, J. Math. Anal. Appl. 15.)
struct Newton {
  static constexpr const char* name = "Newton";
  static constexpr bool solves_roots = true;
  std::int64_t max_halvings = 8;  ///< ≥ 0

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
