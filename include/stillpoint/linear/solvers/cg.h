#pragma once

#include "stillpoint/core/linear_solver.h"

namespace stillpoint {

/// Conjugate gradients, for symmetric positive definite operators. One product per iteration and one for the
/// residual at the end. If that shows that the recurrence has drifted, it restarts, for one more product. On
/// other operators it does not converge, and its status says so. (Hestenes, Stiefel 1952; Saad, Iterative
/// Methods for Sparse Linear Systems, algorithm 6.18.)
///
/// A sample whose residual does not halve in a tenth of the iterations allowed is given up as stalled. This
/// happens neither before 30 iterations nor before twice its width, by when it would have ended but for
/// rounding.
struct Cg {
  std::int64_t max_iterations = 200;  ///< ≥ 0; a step is one product

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                             const ResolvedTolerance& tolerance) const;
};

}  // namespace stillpoint
