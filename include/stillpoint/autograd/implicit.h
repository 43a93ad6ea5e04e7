#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

#include "stillpoint/core/condition.h"
#include "stillpoint/core/linear_solver.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"

namespace stillpoint {

/// The implicit function theorem for a condition `r(z) = 0` that `z` satisfies.
///
/// With g the gradient that arrives at z, the backward pass solves `Aᵀu = g` for `A = −∂r/∂z` and pulls u
/// back through one evaluation of the map to everything that it captured. Under `create_graph` the adjoint u
/// is itself attached by this same rule, since it satisfies a condition of the same form: so every order is
/// exact, up to the accuracy of z and of the linear solves. See docs/gradients.md. (Bai, Kolter, Koltun 2019,
/// theorem 1.)
struct ImplicitRule {
  /// Finds the first-order adjoint from what is known at z beside the recorded Aᵀ, `a`; the tolerance comes
  /// resolved. What it reports has to be true of `a`.
  using FirstOrder = std::function<Solution<at::Tensor>(
      const LinearOperator& a, const at::Tensor& z, const at::Tensor& g, const ResolvedTolerance& tolerance)>;

  LinearSolver solver;  ///< of Aᵀu = g; called, as all functions here, from each thread of a backward pass
  Tolerance tolerance = {.relative = {}, .absolute = 0.0};  ///< of that solve, relative to g
  OnFailure on_failure = OnFailure::Warn;
  /// Takes the place of `solver` for the first-order adjoint; optional. It has to reach the tolerance as
  /// well: higher orders build on the adjoint.
  FirstOrder first_order = {};
  /// An estimate of the first-order adjoint, taken as it is until a backward pass creates a graph; optional.
  /// `on_failure` is obeyed only if its residual is not finite.
  FirstOrder estimate = {};
};

/// `z` (which satisfies the condition) with its derivatives attached; `z` itself if the map captured nothing
/// that requires a gradient, or if gradients are off. The backward pass writes its report to `backward`, if
/// given. Cost: one recorded evaluation now, which is kept until the backward pass; there, one linear solve
/// and one pull back. The map is called again only when the backward pass creates a graph, which throws a
/// c10::Error if it then captures other leaves, edited ones, or has another value. Under torch::jit tracing,
/// with forward-mode tangents and in vmap it throws one that says what to do.
at::Tensor implicit(const Condition& condition, const at::Tensor& z, ImplicitRule rule,
                    std::shared_ptr<Stats> backward = nullptr);

}  // namespace stillpoint
