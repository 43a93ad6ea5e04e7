#pragma once

#include <cstdint>
#include <memory>

#include "stillpoint/equations/gradient.h"
#include "stillpoint/linear/solvers/automatic.h"

namespace stillpoint {

/// What the backward pass does with the approximation H of A⁻¹ that the solver ended with, where A = I − J,
/// or −J for a root.
///
/// `Newton` leaves the inverse of the Jacobian of its last step. `Chord` leaves the one that it kept.
/// `Broyden` leaves its product of updates, those since the last time that its memory was full. A solver of
/// your own may leave what it has, see `LeavesInverse`. H is kept until the backward pass: B·N² numbers,
/// or 2 · `memory` states for Broyden.
enum class Reuse : std::uint8_t {
  None,  ///< nothing; works with any solver
  /// The linear solver gets the system preconditioned by Hᵀ. The automatic one then begins with Hᵀ g and
  /// refines it. The result is as exact as without H. Samples for which H does not help are solved without
  /// it.
  Preconditioner,
  /// u = Hᵀ g and no linear solve, so the result is as good as H. With Newton it is off by the length of the
  /// last step. With Broyden it is good along the steps taken. For a g unrelated to them it is no better than
  /// the Jacobian-free gradient, unless Broyden began with the Jacobian. (SHINE: Ramzi, Mannel, Bai, Starck,
  /// Ciuciu, Moreau 2022, SHINE: SHaring the INverse Estimate from the forward pass.) The residual is
  /// reported, for one product. Samples beyond the tolerance are `Status::Inaccurate`. You asked for that, so
  /// `on_failure` is obeyed only for samples that are not finite. A backward pass that creates a graph solves
  /// as with Preconditioner, because higher derivatives build on the adjoint. So do those after it through
  /// the same solution.
  Approximation,
};

/// Keeps the adjoint of the latest backward pass; zero for the samples that failed.
struct AdjointStart {
  at::Tensor adjoint;  ///< of the shape of the state; undefined at first
};

/// Differentiates the condition z = f(z) or f(z) = 0, not the solver; see `implicit`. Exact to any order, up
/// to the accuracy of z* and of the backward solve. It does not depend on how z* was found, and needs memory
/// for one evaluation of f. No gradient flows to z0, because z* does not depend on it.
struct ImplicitGradient {
  LinearSolver linear_solver = AutomaticLinearSolver{};  ///< of (I − Jᵀ) u = g, or −Jᵀ u = g for a root
  Tolerance tolerance = {.relative = {}, .absolute = 0.0};  ///< of that solve; relative to g
  /// Optional: the product u ↦ Jᵀu at z*, in the shape of the state, written by hand for speed. It serves the
  /// first-order solve only. The reported residual reveals a wrong one.
  std::function<Map(const at::Tensor& z)> transposed_jacobian = {};
  /// Reuse of the solver's work, for the first-order adjoint. Errors: a c10::Error naming `reuse` and the
  /// solver if the solver left no inverse.
  Reuse reuse = Reuse::None;
  /// Where the first-order solve starts, and where it leaves its result for the next one, as in training on
  /// the same batch. It is used if shape, dtype and device agree. Make one for each layer. It cannot be
  /// combined with `reuse`, which has a start of its own. If several backward passes run at the same time,
  /// each starts from the one that ended last. `DenseLu` takes no start. The result is as exact as without
  /// it. Null: start from zero.
  std::shared_ptr<AdjointStart> warm_start = {};

  at::Tensor differentiate(Problem& problem) const;
};

}  // namespace stillpoint
