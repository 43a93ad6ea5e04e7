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
/// Let g be the gradient that arrives at z. The backward pass solves `Aᵀu = g` for `A = −∂r/∂z` and pulls u
/// back through one evaluation of f, to everything that f captured. The adjoint u solves an equation of the
/// same form, so under `create_graph` this same rule attaches it. Hence every order is exact, up to the
/// accuracy of z and of the linear solves. See docs/gradients.md. (Bai, Kolter, Koltun 2019, theorem 1.)
struct ImplicitRule {
  /// Solves `u = product(u) + g` (FixedPoint) or `0 = product(u) + g` (Root), to a resolved tolerance
  /// relative to g. `product` is the linear map u ↦ Jᵀu.
  using AdjointSolve = std::function<Solution<at::Tensor>(Equation, const Map& product, const at::Tensor& g,
                                                          const Tolerance& tolerance)>;

  Equation equation = Equation::FixedPoint;
  AdjointSolve solve;  ///< like all functions here, called from each thread that runs a backward pass
  Tolerance tolerance = {.relative = {}, .absolute = 0.0};  ///< of the adjoint equation, relative to g
  OnFailure on_failure = OnFailure::Warn;
  /// Optional: the product u ↦ Jᵀu at a given z, written by hand, for the first-order backward solve. The
  /// result is checked with the recorded product, so a wrong one ends as `Status::Inaccurate`.
  std::function<Map(const at::Tensor& z)> transposed_jacobian = {};
  /// Optional: replaces `solve` for the first-order adjoint, if you know more about A at z than its products.
  /// It has to reach the tolerance as well, because higher orders build on the adjoint.
  AdjointSolve first_order_solve = {};
  /// Optional: g ↦ u ≈ A⁻ᵀ g. The estimate is taken for the adjoint as it is, until a backward pass creates a
  /// graph. Its residual is reported, for one product. `on_failure` is obeyed only if the residual is not
  /// finite.
  Map adjoint_estimate = {};
};

/// Returns `z`, which solves the equation that `f` states, with its derivatives attached. Returns `z` itself
/// if f captured nothing that requires a gradient, or if gradients are off.
///
/// The backward pass writes its report to `backward`, if given. `f` is called again only if the backward pass
/// creates a graph.
///
/// Cost: one recorded evaluation of f now, which is kept until the backward pass; there, one linear solve and
/// one pull back. Errors: a c10::Error in a backward pass that creates a graph, if `f` then captures other
/// leaves, edited ones, or has another value; one that says what to do instead under torch::jit tracing, with
/// forward-mode tangents and in vmap.
at::Tensor implicit(const Map& f, const at::Tensor& z, ImplicitRule rule,
                    std::shared_ptr<Stats> backward = nullptr);

}  // namespace stillpoint
