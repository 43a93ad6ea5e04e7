#pragma once

#include "stillpoint/core/linear_solver.h"

namespace stillpoint {

/// Fixed-point iteration x ← x + (b − A x). With A = I − P, these are the partial sums of the Neumann series.
/// Converges if the spectral radius of I − A is below 1. One product per iteration, with constant memory.
/// Also right for operators that mix samples.
struct Neumann {
  std::int64_t max_iterations = 200;  ///< ≥ 0; a step is one product

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                             const ResolvedTolerance& tolerance) const;
};

}  // namespace stillpoint
