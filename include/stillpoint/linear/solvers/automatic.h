#pragma once

#include "stillpoint/core/linear_solver.h"

namespace stillpoint {

/// Chooses a method by structure and size, and by what happens.
///
/// - For a positive definite operator it takes Cg.
/// - For another symmetric one it begins with Cg, for at most `patience` steps. Where eigenvalues have both
///   signs that may break down, which its status tells.
/// - Otherwise it begins with Neumann, for as long as the observed rate of the slowest sample promises an end
///   within `patience` steps.
/// - The samples not solved by then go to DenseLu if N ≤ dense_width, else to Gmres from the best iterate.
/// - If that failed and the products turn out to mix samples, Gmres solves the whole batch as one system, to
///   the tolerance of the whole.
///
/// The report's `method` says what was used. Its evaluations and iterations count all of it.
struct AutomaticLinearSolver {
  std::int64_t patience = 60;     ///< ≥ 0: steps of the first attempt; beyond them, others are cheaper
  std::int64_t dense_width = 64;  ///< ≥ 0: widest sample that is factorized

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                             const ResolvedTolerance& tolerance) const;
};

}  // namespace stillpoint
