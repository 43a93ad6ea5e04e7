#pragma once

#include "stillpoint/linear/solver.h"

namespace stillpoint {

/// Conjugate gradients, for symmetric positive definite operators. One product an iteration,
/// one for the residual at the end, and one more where that shows that the recurrence has drifted and it
/// restarts. (Hestenes, Stiefel 1952; Saad, Iterative Methods for Sparse Linear Systems, algorithm 6.18.) On
/// other operators it does not converge, which its status says.
///
/// A sample whose residual does not halve in a tenth of the iterations allowed is given up as stalled; not
/// before 30, nor before twice its width, within which it would have ended but for rounding.
struct Cg {
  std::int64_t max_iterations = 200;  ///< ≥ 0; a step is one product

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                             const Tolerance& tolerance) const;
};

}  // namespace stillpoint
