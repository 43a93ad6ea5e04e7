#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::detail {

/// The quadratic models m(p) = g'p + ½p'Hp of a batch, whose least values within balls it finds to rounding,
/// wherever H bends down and however g lies, also in the hard case: where g has no part along the directions
/// of least curvature. (Moré, Sorensen 1983, SIAM Journal on Scientific and Statistical Computing 4.)
///
/// A model whose lowest point lies within the ball costs a Cholesky factor. Else H is decomposed, once, and
/// each radius is a search for one number, the multiplier.
class MoreSorensen {
 public:
  /// `hessian` is `[B, N, N]`, symmetric; `gradient` is `[B, N]`.
  MoreSorensen(const at::Tensor& hessian, const at::Tensor& gradient);

  /// Where each model is least within ‖p‖ ≤ radius, `[B, 1]`.
  at::Tensor step(const at::Tensor& radius);

 private:
  void decompose();
  at::Tensor constrained(const at::Tensor& radius) const;

  at::Tensor hessian_, gradient_;  // in double
  at::Tensor newton_;              // where H is positive definite, else not finite
  at::Tensor values_, vectors_;    // of H, ascending; undefined until they are needed
};

}  // namespace stillpoint::detail
