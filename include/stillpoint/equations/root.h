#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "stillpoint/core/condition.h"
#include "stillpoint/core/observer.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"
#include "stillpoint/equations/gradient.h"
#include "stillpoint/equations/gradients/implicit_gradient.h"
#include "stillpoint/equations/solvers/newton.h"

namespace stillpoint {

/// Options of `root`. The defaults suit most systems.
struct RootOptions {
  RootSolver solver = Newton{};
  GradientRule gradient = ImplicitGradient{};
  Tolerance tolerance = {};           ///< of z, see `root`; default by dtype
  std::int64_t max_iterations = 200;  ///< ≥ 0, in steps from z0
  /// ≥ 0, in steps: a sample is given up as stalled if its best residual has not fallen by one per cent in
  /// this many. 0: never. Empty: half of `max_iterations`, at least 100; or never if the tolerance is zero,
  /// because then all iterations are wanted. (`Auto` has a window of its own, after which it escalates.)
  std::optional<std::int64_t> stall_window = {};
  std::optional<double> time_limit = {};  ///< ≥ 0, in seconds, checked after each step; empty: none
  OnFailure on_failure = OnFailure::Warn;
  Criterion criterion = Criterion::Residual;  ///< what the tolerance is compared with
  Observer observer = {};                     ///< called at each iterate; empty: no observer, no cost
};

/// Finds z with g(z) = 0 for each sample of a batch, starting at `z0` (`[B, …]`, floating point). The result
/// is differentiable in everything that g captured: dz = −(∂g/∂z)⁻¹ dg, exact to any order.
///
/// A sample is solved when ‖g(z)‖ / slope ≤ absolute + relative · ‖z‖, where slope = ‖Jᵀg‖ / ‖g‖. The left
/// side is a lower bound of the distance to a root. It depends neither on the unit of g nor on that of z (see
/// `Slopes`).
///
/// Everything else is as for `fixed_point`: `{g, inputs}`, what comes back, what happens to a sample that
/// fails, errors (which call the map g), and the cost of the gradient. For the gradient to exist, the
/// Jacobian must be regular at the root. The backward pass reports a singular one as inaccurate.
Solution<at::Tensor> root(const Condition& g, const at::Tensor& z0, const RootOptions& options = {});

/// The same for a state of several tensors, `[B, …]` each with the same B, dtype and device.
Solution<std::vector<at::Tensor>> root(const TupleCondition& g, const std::vector<at::Tensor>& z0,
                                       const RootOptions& options = {});

}  // namespace stillpoint
