#pragma once

#include "stillpoint/core/linear_solver.h"

namespace stillpoint {

/// Stabilized bi-conjugate gradients, for any operator, with constant memory. Two products per iteration, and
/// one for the residual at the end or at a restart. A sample whose recurrence breaks down restarts from its
/// iterate. (van der Vorst 1992; Saad, algorithm 7.7.)
///
/// A sample whose residual does not halve in a tenth of the iterations allowed is given up as stalled. This
/// happens neither before 30 iterations nor before twice its width, by when it would have ended but for
/// rounding.
struct BiCgStab {
  std::int64_t max_iterations = 200;  ///< ≥ 0; a step is two products

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                             const ResolvedTolerance& tolerance) const;
};

}  // namespace stillpoint
