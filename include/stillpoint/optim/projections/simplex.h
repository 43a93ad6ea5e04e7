#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/optim/row_number.h"

namespace stillpoint::optim {

/// The nearest point to each row of `y`, `[B, n]`, of {x ≥ 0, Σ x = radius}: sparse where softmax is not
/// (sparsemax, for radius 1).
///
/// Differentiable in y and radius. The projection is piecewise linear, and its derivative is exact; where an
/// entry has just become zero, it is the one of the side on which it stays zero. A row whose set is empty
/// (radius < 0), or that has NaN, becomes NaN, as do its gradients; entries −∞ become zero.
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1, or radius does not fit. Cost: one
/// sort of each row. (Held, Wolfe, Crowder 1974; Martins, Astudillo 2016.)
at::Tensor project_simplex(const at::Tensor& y, const RowNumber& radius = 1.0);

}  // namespace stillpoint::optim
