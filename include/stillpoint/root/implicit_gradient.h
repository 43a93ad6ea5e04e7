#pragma once

#include "stillpoint/linear/automatic.h"
#include "stillpoint/root/gradient.h"

namespace stillpoint {

/// Differentiates the condition z = f(z) or f(z) = 0, not the solver: see `implicit`. Exact to any order, up
/// to the accuracy of z* and of the backward solve; independent of how z* was found; memory for one
/// evaluation of f. No gradient flows to z0, on which z* does not depend.
struct ImplicitGradient {
  LinearSolver linear_solver = AutomaticLinearSolver{};  ///< of (I − Jᵀ) u = g, or −Jᵀ u = g for a root
  Tolerance tolerance = {.relative = {}, .absolute = 0.0};  ///< of that solve; relative to g
  /// The product u ↦ Jᵀu at z*, written by hand for speed, of the shape of the state. Optional. It serves the
  /// first-order solve only; a wrong one is caught by the reported residual.
  std::function<Map(const at::Tensor& z)> transposed_jacobian = {};

  at::Tensor differentiate(FixedPointProblem& problem) const;
};

}  // namespace stillpoint
