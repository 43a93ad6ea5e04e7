#pragma once

#include <memory>

#include "stillpoint/core/linear_solver.h"
#include "stillpoint/equations/gradients/implicit_gradient.h"

// Linear solvers of the first-order adjoint system that begin with something. Each reaches the tolerance as
// without.
namespace stillpoint::detail {

/// With u ↦ Hᵀu ≈ A⁻ᵀu as a preconditioner.
struct PreconditionedSolver {
  LinearSolver solver;
  Map transposed_inverse;

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& g, const at::Tensor& u0,
                             const ResolvedTolerance& tolerance) const;
};

/// From where the last one ended, for which it keeps its own end.
struct WarmStartedSolver {
  LinearSolver solver;
  std::shared_ptr<AdjointStart> start;

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& g, const at::Tensor& u0,
                             const ResolvedTolerance& tolerance) const;
};

}  // namespace stillpoint::detail
