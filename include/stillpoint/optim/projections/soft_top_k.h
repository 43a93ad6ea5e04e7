#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/optim/row_number.h"

namespace stillpoint::optim {

/// The smooth indicator of the k largest of each row of `y`, `[B, n]`: x = sigmoid((y − τ) / eps) with Σ x =
/// k, which maximizes y'x plus eps times the entropy of x and 1 − x over {0 ≤ x ≤ 1, Σ x = k}. It tends to
/// the indicator as eps → 0.
///
/// Differentiable to any order in y, k and eps: τ is the root of one equation a row, attached by the implicit
/// rule. A row with NaN or ±∞, or without 0 < k < n and eps > 0, becomes NaN, as do its gradients. Gradients
/// underflow to zero where y/eps has a gap of more than about 1400 (float: 170) at the k-th largest.
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1, or k or eps does not fit. Cost:
/// about ten evaluations of n sigmoids a row; in the backward pass one division a row.
at::Tensor soft_top_k(const at::Tensor& y, const RowNumber& k, const RowNumber& eps);

}  // namespace stillpoint::optim
