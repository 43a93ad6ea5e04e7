#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/optim/row_number.h"

namespace stillpoint::optim {

/// The nearest point to each row of `y`, `[B, n]`, of {0 ≤ x ≤ 1, Σ x = k}: a sparse relaxation of the
/// indicator of the k largest, which it is once they are larger than the others by one.
///
/// Differentiable in y and k. The projection is piecewise linear, and its derivative is exact; where an entry
/// has just become zero or one, it is the one of the side on which it stays so. Where all entries are zero or
/// one, the derivative in k is that from the left. A row whose set is empty (k < 0 or k > n), or that has
/// NaN, becomes NaN, as do its gradients; entries −∞ become zero while k others remain.
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1, or k does not fit. Cost: one sort
/// of 2n numbers for each row. (Wang, Lu 2015.)
at::Tensor project_capped_simplex(const at::Tensor& y, const RowNumber& k);

}  // namespace stillpoint::optim
