#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/core/condition.h"
#include "stillpoint/core/map.h"
#include "stillpoint/core/operator.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"
#include "stillpoint/equations/gradients/implicit_gradient.h"

namespace stillpoint {

/// Options of `optimum`.
struct OptimumOptions {
  /// Of the residual's Jacobian. `Symmetric` where the residual is the gradient of an objective, and
  /// `PositiveDefinite` where that is strictly convex, too: the backward solve then takes conjugate
  /// gradients. It is relied on, not tested.
  Structure structure = Structure::General;
  ImplicitGradient gradient = {};          ///< its backward solve
  Tolerance tolerance = {};                ///< of x, as that of `root`; default by dtype
  OnFailure on_failure = OnFailure::Warn;  ///< of the check and of backward solves
};

/// What a solver of your own finds, made a layer: x = solver(x0), checked against optimality(x) = 0, and
/// differentiable to any order in everything that `optimality` captured. `x0` is `[B, …]`, floating point.
///
/// `solver` is any code that finds x, of x0's shape, dtype and device. It runs once, with gradients off; one
/// that needs gradients of its own turns them on inside, with `at::AutoGradMode`. `optimality` is the
/// residual that vanishes at x, written in tensors: the gradient of the objective, x − P(x − gradient) with a
/// projection P onto the feasible set, or all optimality conditions of a program. It has to name the same
/// optimum as the solver does, and samples must not depend on each other.
///
/// **Status** is per sample: `Converged` if ‖optimality(x)‖ / slope ≤ absolute + relative · ‖x‖, the test of
/// `root`, which bounds the distance to the optimum whatever the unit of the residual; else `Inaccurate`, or
/// `NonFinite`. x is what the solver returned in either case, and its derivatives are those of the condition
/// there: nothing is refined. Set the tolerance to what the solver reaches; derivatives are as good as x.
/// `iterations` are zero, since the solver's steps are its own.
///
/// **Gradient.** dx = −(∂r/∂x)⁻¹ dr for the residual r, exact to any order at an exact x. Where the Jacobian
/// is singular the backward pass reports itself as inaccurate. No gradient flows to x0 or to what the solver
/// alone captured. `implicit` is the same rule for an x that is trusted.
///
/// **Errors.** A c10::Error if a function is empty, x0 is no batch, or the solver or the residual returns
/// something of another shape, dtype or device. **Cost.** The solver; an evaluation of the residual and a
/// recorded one with its products for the check; then that of `ImplicitGradient`.
Solution<at::Tensor> optimum(const Map& solver, const Condition& optimality, const at::Tensor& x0,
                             const OptimumOptions& options = {});

/// The same for several tensors, such as a solution and its multipliers, `[B, …]` each with the same B.
Solution<std::vector<at::Tensor>> optimum(const TupleMap& solver, const TupleCondition& optimality,
                                          const std::vector<at::Tensor>& x0,
                                          const OptimumOptions& options = {});

}  // namespace stillpoint
