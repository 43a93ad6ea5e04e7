#pragma once

#include "stillpoint/root/solver.h"

namespace stillpoint {

/// Newton's method on f(z) − z, with the Jacobian of each sample written out and factorized: N Jacobian
/// products, B·N² numbers and O(B·N³) operations an iteration for samples of width N. Quadratic convergence.
/// Samples must not mix in f.
///
/// A step must decrease the residual of its sample (Armijo, factor 1e-4). Where the full one does not, the
/// plain step f(z) − z is tried, which is drawn to fixed points that attract, and then the Newton step halved
/// at most `max_halvings` times. Where the Jacobian is singular there are plain steps alone.
/// (Dennis, Schnabel 1983, section 6.3.)
struct Newton {
  static constexpr const char* name = "Newton";
  std::int64_t max_halvings = 8;  ///< ≥ 0
  /// ≥ 0; steps z ← f(z) taken first. Newton's method alone goes to whatever fixed point is near, also to one
  /// that repels; these lead it to one that attracts.
  std::int64_t plain_steps = 0;

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
