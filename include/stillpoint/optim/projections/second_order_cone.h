#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::optim {

/// The nearest point to each row (t, u) of `y`, `[B, n]`, of the second-order cone {‖u‖₂ ≤ t}, whose first
/// number is t.
///
/// Differentiable to any order where a derivative exists; a row on the boundary of the cone counts as one
/// that is moved there, one on the boundary of the polar cone, whose projection is zero, as one that stays
/// zero. A row with NaN becomes NaN.
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1. Cost: a few passes over y.
/// (Bauschke 1996, theorem 3.3.6.)
at::Tensor project_second_order_cone(const at::Tensor& y);

}  // namespace stillpoint::optim
