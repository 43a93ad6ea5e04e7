#pragma once

#include "stillpoint/core/linear_solver.h"

namespace stillpoint {

/// Writes out the matrix of each sample and factorizes it. For samples of width N this takes N + 2 products,
/// B·N² numbers and O(B·N³) operations. Use it for narrow states, and for operators on which iterations fail.
/// It corrects its solution once by its own residual (iterative refinement), so it is accurate to rounding.
/// The status reports a singular matrix.
struct DenseLu {
  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                             const ResolvedTolerance& tolerance) const;
};

}  // namespace stillpoint
