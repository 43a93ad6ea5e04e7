#pragma once

#include "stillpoint/linear/solver.h"

namespace stillpoint {

/// Writes the matrix of each sample out and factorizes it: N + 2 products, B·N² numbers and O(B·N³)
/// operations for samples of width N. The choice for narrow states, and for operators on which iterations
/// fail. It corrects its solution once by its own residual (iterative refinement), so it is accurate to
/// rounding; a singular matrix is reported as such through the status.
struct DenseLu {
  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                             const Tolerance& tolerance) const;
};

}  // namespace stillpoint
