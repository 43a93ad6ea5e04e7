#pragma once

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Newton's method with a Jacobian that is kept. It is factorized at the start, and again for a sample only
/// if a step reduces its residual by less than `refresh_above`.
///
/// In between, an iteration costs one evaluation and one product with the kept inverse, B·N² operations.
/// Convergence is linear, and faster for a smaller `refresh_above`. It pays if Jacobians cost more than a few
/// extra iterations. Samples must not mix in f.
///
/// If the Jacobian is singular, its pseudoinverse replaces the inverse, as in `Newton`. A step with a fresh
/// Jacobian that does not decrease the residual is taken back and halved, and halved again. (Kelley 1995,
/// section 5.4.1; keeping as long as it contracts: Shamanskii 1967.)
struct Chord {
  static constexpr bool solves_roots = true;
  double refresh_above = 0.5;  ///< in (0, 1): the slowest reduction a kept Jacobian may show

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* inverse = nullptr) const;
};

}  // namespace stillpoint
