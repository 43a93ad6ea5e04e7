#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "stillpoint/core/observer.h"
#include "stillpoint/core/operator.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"
#include "stillpoint/equations/gradient.h"
#include "stillpoint/equations/gradients/implicit_gradient.h"
#include "stillpoint/optim/minimizer.h"
#include "stillpoint/optim/minimizers/lbfgs.h"
#include "stillpoint/optim/objective.h"

namespace stillpoint {

/// Options of `minimize`.
struct MinimizeOptions {
  Minimizer solver = optim::Lbfgs{};
  Tolerance tolerance = {};            ///< of x, see `minimize`; default by dtype
  std::int64_t max_iterations = 1000;  ///< ≥ 0, in steps from x0
  at::Tensor lower = {};               ///< bounds that broadcast against x0; undefined: none
  at::Tensor upper = {};
  /// Of the Hessian at the minimum, for the backward solve of problems without bounds. `PositiveDefinite`
  /// takes conjugate gradients alone; with `Symmetric` other methods follow where these break down.
  Structure structure = Structure::Symmetric;
  /// `ImplicitGradient`, the exact one, goes with any solver. `UnrolledGradient` and `CheckpointedGradient`
  /// take the steps of `GradientDescent` and `Newton` again. `PhantomGradient` goes with any solver. See
  /// below.
  GradientRule gradient = ImplicitGradient{};
  std::optional<double> time_limit = {};   ///< ≥ 0, in seconds, checked after each step; empty: none
  OnFailure on_failure = OnFailure::Warn;  ///< of the solve and of backward solves
  Observer observer = {};                  ///< called at each iterate; empty: no observer, no cost
};

/// Finds a local minimum of f for each sample of a batch, starting at `x0` (`[B, …]`, float or double), with
/// lower ≤ x ≤ upper if there are bounds. f has to be differentiable twice, in tensors; its gradient is taken
/// by autograd. The result is differentiable to any order in everything that f captured, and in the bounds.
///
/// **When a sample is solved.** ‖∇f‖ / slope ≤ absolute + relative · ‖x‖, the test of `root` on ∇f: to first
/// order, no stationary point is nearer to x than the left side, and it depends neither on the unit of f nor
/// on that of x. With bounds it is the residual below that takes the place of ∇f. In a sample of at most 64
/// numbers Newton's step has to be as short; a wider one may be off by as many times the tolerance as the
/// Hessian's condition number says. A point with a direction of
/// negative curvature is no minimum: there the method leaves a saddle or maximum, downwards, also if it was
/// started on one (one on a bound may end as `Stalled`). This is looked for in samples of at most 64 numbers,
/// and by `Newton` in all; else a start on a saddle is returned as it is.
///
/// **Status**, per sample: `Converged`; `MaxIterations`; `TimeLimit`; `NonFinite`, where f or its gradient is
/// not finite at x0; `Unbounded`, where f falls along a line without end; `Stalled`, where no step lowers f
/// although the gradient says so: f is not smooth there, or is rounded more coarsely than the tolerance asks.
/// A trial that is not finite is only a step too long. x is the last iterate. A finished sample is not moved
/// any more, whatever the others do.
///
/// **Bounds** are kept by projection at every iterate: steps move the variables that no bound holds, along
/// the projected path. (Bertsekas 1982, SIAM Journal on Control and Optimization 20.)
///
/// **Gradient.** dx = −(∂²f)⁻¹ d(∇f), with the exact Hessian; with bounds by the residual
/// x − clamp(x − ∇f, lower, upper), of which a variable held by a bound follows that bound. Where a bound
/// holds a variable with a gradient of zero, the derivative is that of the free side. The Hessian has to be
/// regular at the minimum; else the backward pass reports itself as inaccurate. No gradient flows to x0.
///
/// **Other gradients.** Unrolled ones are those of the steps as they were taken, in x0 too, to any order: x +
/// t d(x), where all decisions are held, namely the lengths t, which variables a bound held, and the matrix
/// of a `Newton` step where the Hessian is not positive definite. They come to the implicit gradient as x
/// comes to the minimum, and as fast as the method. Memory grows with the steps. `PhantomGradient` is the
/// truncated one: it takes `steps` steps x − ∇f(x) / L from the minimum, where L is the largest curvature
/// there. The part of the gradient along curvature c is short by (1 − c/L) to the power of `steps`.
///
/// **Leaving finished samples out.** `minimize({f, inputs}, x0)` takes an `f(x, inputs)` that is given what
/// belongs to each sample as `inputs` (`[B, …]` each) instead of capturing it. As in `fixed_point`, samples
/// that have ended are then left out of the evaluations, once a quarter has.
///
/// **Errors.** A c10::Error if f is empty or returns another shape, dtype or device, if x0 is no batch or in
/// half precision, or if bounds do not fit it, or cross, or the solver takes none. **Cost.** That of the
/// solver; the test records the gradient once or twice, with one Hessian product, and N for a sample of at
/// most 64 numbers that passes.
Solution<at::Tensor> minimize(const Objective& f, const at::Tensor& x0, const MinimizeOptions& options = {});

/// The same over several tensors, `[B, …]` each with the same B, dtype and device. Norms are taken over all
/// numbers of a sample together. Bounds are refused: they belong to one tensor.
Solution<std::vector<at::Tensor>> minimize(const TupleObjective& f, const std::vector<at::Tensor>& x0,
                                           const MinimizeOptions& options = {});

}  // namespace stillpoint
