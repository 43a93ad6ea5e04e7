#pragma once

#include <cstdint>
#include <memory>

#include "stillpoint/equations/gradient.h"
#include "stillpoint/linear/solvers/automatic.h"

namespace stillpoint {

/// What the backward pass makes of the approximation H of A⁻¹ that the solver ended with, where A = I − J, or
/// −J for a root. `Newton` leaves the inverse of the Jacobian of its last step, `Chord` the one that it kept,
/// `Broyden` its product of updates (those since the last time that its memory was full); a solver of your
/// own leaves what it has by `Monitor::leave_inverse`. It is kept until the backward pass: B·N² numbers, or
/// 2 · `memory` states for Broyden.
enum class Reuse : std::uint8_t {
  None,  ///< nothing, with any solver
  /// The linear solver gets the system preconditioned by Hᵀ; the automatic one then begins with Hᵀ g and
  /// refines it. The result is as exact as without; samples for which H does not help are solved without it.
  Preconditioner,
  /// u = Hᵀ g and no linear solve: as good as H is. That of Newton is off by the last step's length; that of
  /// Broyden is good along the steps taken, so for a g unrelated to them no better than the Jacobian-free
  /// gradient, unless it began with the Jacobian. (SHINE: Ramzi, Mannel, Bai, Starck, Ciuciu,
  /// Moreau 2022, SHINE: SHaring the INverse Estimate from the forward pass). Its residual is reported, for
  /// one product; samples beyond the tolerance are `Status::Inaccurate`, as was asked for, so `on_failure` is
  /// obeyed only about ones that are not finite. A backward pass that creates a graph, and those after it
  /// through the same solution, solve as with Preconditioner, since higher derivatives build on the adjoint.
  Approximation,
};

/// Keeps the adjoint of the latest backward pass; zero for the samples that failed.
struct AdjointStart {
  at::Tensor adjoint;  ///< of the shape of the state; undefined at first
};

/// Differentiates the condition z = f(z) or f(z) = 0, not the solver: see `implicit`. Exact to any order, up
/// to the accuracy of z* and of the backward solve; independent of how z* was found; memory for one
/// evaluation of f. No gradient flows to z0, on which z* does not depend.
struct ImplicitGradient {
  LinearSolver linear_solver = AutomaticLinearSolver{};  ///< of (I − Jᵀ) u = g, or −Jᵀ u = g for a root
  Tolerance tolerance = {.relative = {}, .absolute = 0.0};  ///< of that solve; relative to g
  /// The product u ↦ Jᵀu at z*, written by hand for speed, of the shape of the state. Optional. It serves the
  /// first-order solve only; a wrong one is caught by the reported residual.
  std::function<Map(const at::Tensor& z)> transposed_jacobian = {};
  /// Of the solver's work, for the first-order adjoint. Errors: a c10::Error naming `reuse` and the solver if
  /// that left no inverse.
  Reuse reuse = Reuse::None;
  /// Where the first-order solve starts and leaves its result for the next, as in training on the same batch;
  /// used if shape, dtype and device agree. One for each layer, and not beside `reuse`, which has a start of
  /// its own. Of backward passes that run at the same time, each starts from the one that ended last.
  /// `DenseLu` takes no start. The result is as exact as without. Null: zero.
  std::shared_ptr<AdjointStart> warm_start = {};

  at::Tensor differentiate(FixedPointProblem& problem) const;
};

}  // namespace stillpoint
