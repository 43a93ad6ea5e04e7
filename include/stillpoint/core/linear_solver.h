#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <utility>

#include "stillpoint/core/erased.h"
#include "stillpoint/core/operator.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"

namespace stillpoint {

/// A type that solves `A x = b` for each sample until ‖b − A x‖ ≤ absolute + relative · ‖b‖. It starts from
/// `x0`, or from zero if that is undefined. The residual that it reports is the true one, b − A x, not that
/// of a recurrence. Gradients are off when it is called.
///
/// The library's solvers report a sample as converged only if b and the residual of the returned x are finite
/// and that residual is within the tolerance (or twice the tolerance, left to rounding, where the method
/// updates its residual). Their inner products neither overflow nor underflow, whatever the size of b. In
/// half precision they iterate in float; products are made, and x is rounded, in half precision.
template <class S>
concept LinearSolverType = std::copyable<S> &&
    requires(const S& solver, const LinearOperator& a, const at::Tensor& b,
             const ResolvedTolerance& tolerance) {
  { solver.solve(a, b, b, tolerance) } -> std::same_as<Solution<at::Tensor>>;
};

/// Any linear solver: `Gmres{.restart = 20}`, `Cg{}`, …, or a type of your own.
class LinearSolver
    : public Erased<Solution<at::Tensor>(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                         const ResolvedTolerance& tolerance)> {
 public:
  template <class S>
  requires(!std::same_as<S, LinearSolver> && LinearSolverType<S>)
      LinearSolver(S solver)  // NOLINT(google-explicit-constructor): options are written as the solver's name
      : Erased(std::move(solver),
               [](const S& held, const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                  const ResolvedTolerance& tolerance) { return held.solve(a, b, x0, tolerance); }) {}

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                             const ResolvedTolerance& tolerance) const;
};

}  // namespace stillpoint
