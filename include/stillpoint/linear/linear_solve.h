#pragma once

#include "stillpoint/autograd/implicit.h"
#include "stillpoint/linear/solver.h"
#include "stillpoint/linear/solvers/automatic.h"

namespace stillpoint {

struct LinearSolveOptions {
  LinearSolver solver = AutomaticLinearSolver{};             ///< of A x = b
  LinearSolver transposed_solver = AutomaticLinearSolver{};  ///< of Aᵀu = g, in the backward pass
  /// Relative to b in the forward pass, and to the incoming gradient in the backward pass.
  Tolerance tolerance = {.relative = {}, .absolute = 0.0};
  OnFailure on_failure = OnFailure::Warn;
};

/// The solution of `A x = b` for each sample, differentiable to any order in `b` and in everything that
/// `a.product` captured. `b` is `[B, …]`; x has its shape. Only products with A are asked of the caller:
/// those with Aᵀ come from replaying a recorded one. A sample has converged if b and ‖b − A x‖ are finite and
/// that is within the tolerance, whatever the size of b; x rounded to its dtype is meant. Cost: one solve,
/// one recorded product; one solve more a backward. Throws if the product changes shape, dtype or device.
Solution<at::Tensor> linear_solve(const LinearOperator& a, const at::Tensor& b,
                                  const LinearSolveOptions& options = {});

/// The same for matrices `[B, N, N]`, or `[N, N]` for all samples, and `b` `[B, N]`.
Solution<at::Tensor> linear_solve(const at::Tensor& matrix, const at::Tensor& b,
                                  const LinearSolveOptions& options = {});

/// `solver` in the form that the implicit rule asks for.
ImplicitRule::AdjointSolve adjoint_solve(LinearSolver solver, Structure structure = Structure::General);

}  // namespace stillpoint
