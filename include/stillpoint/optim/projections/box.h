#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::optim {

/// The nearest point to each row of `y`, `[B, n]`, of {lower ≤ x ≤ upper}, with bounds `[n]` or `[B, n]`,
/// which may be infinite.
///
/// Differentiable in y and in the bounds; an entry exactly at its bound moves with the bound. An entry that
/// is NaN, or whose bounds have lower > upper, becomes NaN.
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1, or a bound does not fit.
at::Tensor project_box(const at::Tensor& y, const at::Tensor& lower, const at::Tensor& upper);

}  // namespace stillpoint::optim
