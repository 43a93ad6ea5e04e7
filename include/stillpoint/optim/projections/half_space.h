#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/optim/row_number.h"

namespace stillpoint::optim {

/// The nearest point to each row of `y`, `[B, n]`, of {normal'x ≤ offset}, with a normal `[n]` or `[B, n]`.
///
/// Differentiable in y, normal and offset, to any order where a derivative exists; a row exactly on the
/// boundary counts as one that is moved there. With a normal of zero the set is everything, or empty if
/// offset < 0. A row whose set is empty, or that has NaN, becomes NaN, as do its gradients.
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1, or another argument does not fit.
at::Tensor project_half_space(const at::Tensor& y, const at::Tensor& normal, const RowNumber& offset);

}  // namespace stillpoint::optim
