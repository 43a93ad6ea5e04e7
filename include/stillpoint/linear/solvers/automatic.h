#pragma once

#include "stillpoint/linear/solver.h"

namespace stillpoint {

/// Chooses by structure and size, and by what happens:
///   positive definite      → Cg;
///   otherwise              → Neumann, for as long as the observed rate of its slowest sample promises an end
///   within `patience` steps; then, for the samples not solved, DenseLu if N ≤ dense_width, else Gmres from
///   the best iterate; and if that failed and products turn out to mix samples → Gmres on the whole batch as
///   one system, to the tolerance of the whole.
/// The report's `method` says what was used; evaluations and iterations count all of it.
struct AutomaticLinearSolver {
  std::int64_t patience = 60;     ///< ≥ 0: Neumann steps, beyond which Krylov or dense methods are cheaper
  std::int64_t dense_width = 64;  ///< ≥ 0: widest sample that is factorized

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                             const Tolerance& tolerance) const;
};

}  // namespace stillpoint
