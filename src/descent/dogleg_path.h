#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::detail {

/// For each sample of a batch, where a quadratic model is least within a region, nearly: a path of two legs,
/// from the origin down the model's steepest descent to where the model is least in that direction, and from
/// there to where it is least at all. Along it the model falls and the distance grows. (Powell 1970, "A
/// hybrid method for nonlinear equations"; Nocedal, Wright 2006, section 4.1.)
class DoglegPath {
 public:
  /// The direction of `descent`, `[B, N]`, is minus the model's gradient at the origin; `curvature`, `[B,
  /// 1]`, is that of the model along it, dᵀH d; `newton`, `[B, N]`, is where the model is least.
  DoglegPath(at::Tensor descent, const at::Tensor& curvature, at::Tensor newton);

  /// The point at the distance `radius`, `[B, 1]`; the end of the path, if that is nearer.
  at::Tensor point(const at::Tensor& radius) const;

 private:
  at::Tensor descent_;
  at::Tensor slope_;   // ‖descent‖²
  at::Tensor cauchy_;  // where the legs meet
  at::Tensor newton_;
};

}  // namespace stillpoint::detail
