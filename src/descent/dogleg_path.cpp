#include "descent/dogleg_path.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <utility>

#include "core/rows/rows.h"

namespace stillpoint::detail {

DoglegPath::DoglegPath(at::Tensor descent, const at::Tensor& curvature, at::Tensor newton)
    : descent_(std::move(descent)),
      slope_(row_dot(descent_, descent_)),
      cauchy_(descent_ * quotient_or_zero(slope_, curvature)),
      newton_(std::move(newton)) {}

at::Tensor DoglegPath::point(const at::Tensor& radius) const {
  const at::Tensor first_leg = descent_ * quotient_or_zero(radius, slope_.sqrt());

  // On the second one ‖cauchy + t leg‖ = radius for a t in [0, 1], in the form without cancellation.
  const at::Tensor leg = newton_ - cauchy_;
  const at::Tensor cauchy_square = row_dot(cauchy_, cauchy_);
  const at::Tensor a = row_dot(leg, leg);
  const at::Tensor b = row_dot(cauchy_, leg);
  const at::Tensor c = (radius.square() - cauchy_square).clamp_min(0);
  const at::Tensor root = (b.square() + a * c).sqrt();
  const at::Tensor t = at::where(b > 0, quotient_or_zero(c, b + root), quotient_or_zero(root - b, a));
  const at::Tensor second_leg = cauchy_ + t.clamp(0, 1) * leg;

  const at::Tensor within = at::where(cauchy_square.sqrt() >= radius, first_leg, second_leg);
  return at::where(row_dot(newton_, newton_).sqrt() <= radius, newton_, within);
}

}  // namespace stillpoint::detail
