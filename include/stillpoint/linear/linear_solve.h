#pragma once

#include "stillpoint/autograd/implicit.h"
#include "stillpoint/core/linear_solver.h"
#include "stillpoint/linear/solvers/automatic.h"

namespace stillpoint {

/// Options of `linear_solve`.
struct LinearSolveOptions {
  LinearSolver solver = AutomaticLinearSolver{};             ///< of A x = b
  LinearSolver transposed_solver = AutomaticLinearSolver{};  ///< of Aᵀu = g, in the backward pass
  /// Relative to b in the forward pass, and to the incoming gradient in the backward pass.
  Tolerance tolerance = {.relative = {}, .absolute = 0.0};
  OnFailure on_failure = OnFailure::Warn;
};

/// Solves `A x = b` for each sample. The solution x is differentiable to any order, in `b` and in everything
/// that `a.product` captured.
///
/// `b` is `[B, …]`, and x has its shape. You supply products with A only: those with Aᵀ come from replaying a
/// recorded one. A sample has converged if b and ‖b − A x‖ are finite and the latter is within the tolerance,
/// whatever the size of b. This is about x rounded to its dtype.
///
/// Errors: a c10::Error if the product changes shape, dtype or device. Cost: one solve and one recorded
/// product; one more solve per backward pass.
Solution<at::Tensor> linear_solve(const LinearOperator& a, const at::Tensor& b,
                                  const LinearSolveOptions& options = {});

/// The same for matrices `[B, N, N]`, or one `[N, N]` for all samples, and `b` `[B, N]`.
Solution<at::Tensor> linear_solve(const at::Tensor& matrix, const at::Tensor& b,
                                  const LinearSolveOptions& options = {});

}  // namespace stillpoint
