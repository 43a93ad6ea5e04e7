#pragma once

#include <memory>

#include "stillpoint/autograd/implicit.h"
#include "stillpoint/equations/gradients/implicit_gradient.h"
#include "stillpoint/linear/solver.h"

// Solves of the first-order adjoint system that start from something. Each reaches the tolerance as without.
namespace stillpoint::detail {

/// With u ↦ Hᵀu ≈ A⁻ᵀu as a preconditioner.
ImplicitRule::AdjointSolve preconditioned_solve(LinearSolver solver, Map transposed_inverse);

/// From where the last one ended, for which it keeps its own end.
ImplicitRule::AdjointSolve warm_started_solve(LinearSolver solver, std::shared_ptr<AdjointStart> start);

}  // namespace stillpoint::detail
