#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/optim/row_number.h"

namespace stillpoint::optim {

/// The nearest point to each row of `y`, `[B, n]`, of {‖x‖₁ ≤ radius}, {‖x‖₂ ≤ radius} or {‖x‖∞ ≤ radius}.
///
/// Differentiable in y and radius, to any order where a derivative exists; a row exactly on the boundary
/// counts as one that is moved there. A row whose set is empty (radius < 0), or that has NaN, becomes NaN, as
/// do its gradients (for ‖x‖∞: the entries that are NaN).
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1, or radius does not fit. Cost: a
/// few passes over y; for ‖x‖₁ one sort of each row. (Duchi et al. 2008.)
at::Tensor project_l1_ball(const at::Tensor& y, const RowNumber& radius = 1.0);
at::Tensor project_l2_ball(const at::Tensor& y, const RowNumber& radius = 1.0);
at::Tensor project_linf_ball(const at::Tensor& y, const RowNumber& radius = 1.0);

}  // namespace stillpoint::optim
