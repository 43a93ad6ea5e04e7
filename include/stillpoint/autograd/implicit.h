#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

#include "stillpoint/core/map.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"

namespace stillpoint {

/// The implicit function theorem for an equation `r(z) = 0` that `z` solves.
///
/// With g the gradient that arrives at z, the backward pass solves `Aᵀu = g` for `A = −∂r/∂z` and pulls u
/// back through one evaluation of f to everything that f captured. Under `create_graph` the adjoint u is
/// itself attached by this same rule, since it solves an equation of the same form: so every order is exact,
/// up to the accuracy of z and of the linear solves. See docs/gradients.md. (Bai, Kolter, Koltun 2019,
/// theorem 1.)
struct ImplicitRule {
  /// Solves `u = product(u) + g` (FixedPoint) or `0 = product(u) + g` (Root) to a resolved tolerance that is
  /// relative to g; `product` is u ↦ Jᵀu, linear.
  using AdjointSolve = std::function<Solution<at::Tensor>(Equation, const Map& product, const at::Tensor& g,
                                                          const Tolerance& tolerance)>;

  Equation equation = Equation::FixedPoint;
  AdjointSolve solve;  ///< called, as all functions here, from each thread that runs a backward pass
  Tolerance tolerance = {.relative = {}, .absolute = 0.0};  ///< of the adjoint equation, relative to g
  OnFailure on_failure = OnFailure::Warn;
  /// A product u ↦ Jᵀu at a given z written by hand, used inside the first-order backward solve; optional.
  /// What came of it is checked with the recorded product: a wrong one ends as `Status::Inaccurate`.
  std::function<Map(const at::Tensor& z)> transposed_jacobian = {};
  /// Takes the place of `solve` for the first-order adjoint, for who knows more of A at z than products;
  /// optional. It has to reach the tolerance as well: higher orders build on the adjoint.
  AdjointSolve first_order_solve = {};
  /// g ↦ u ≈ A⁻ᵀ g, optional: taken for the adjoint as it is, until a backward pass creates a graph. Its
  /// residual is reported, at the cost of one product; `on_failure` is obeyed only if that is not finite.
  Map adjoint_estimate = {};
};

/// `z` (which solves the equation that `f` states) with its derivatives attached; `z` itself if f captured
/// nothing that requires a gradient, or if gradients are off. The backward pass writes its report to
/// `backward`, if given. Cost: one recorded evaluation of f now, which is kept until the backward pass;
/// there, one linear solve and one pull back. `f` is called again only when the backward pass creates a
/// graph, which throws a c10::Error if `f` then captures other leaves, edited ones, or has another value.
/// Under torch::jit tracing, with forward-mode tangents and in vmap it throws one that says what to do.
at::Tensor implicit(const Map& f, const at::Tensor& z, ImplicitRule rule,
                    std::shared_ptr<Stats> backward = nullptr);

}  // namespace stillpoint
