#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::detail {

/// lower ≤ x ≤ upper, of which each side may be undefined.
struct Bounds {
  at::Tensor lower, upper;

  bool any() const { return lower.defined() || upper.defined(); }
  /// Throws, naming the side, unless they broadcast against x0 and leave room.
  void check(const at::Tensor& x0) const;
  Bounds detached() const;

  /// On a bound x keeps its own derivative.
  at::Tensor project(const at::Tensor& x) const;
  /// x0 within the bounds, without a graph.
  at::Tensor start(const at::Tensor& x0) const;
  /// Marks, as booleans, where a bound holds x: x is on it and would leave by steepest descent.
  at::Tensor holds(const at::Tensor& x, const at::Tensor& gradient) const;
  /// x − clamp(x − gradient, lower, upper), without the rounding of x where that is the gradient.
  at::Tensor residual(const at::Tensor& x, const at::Tensor& gradient) const;
};

}  // namespace stillpoint::detail
