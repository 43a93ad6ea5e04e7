#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::optim {

/// The nondecreasing x that minimizes Σ weights (x − y)² for each row of `y`, `[B, n]`. `weights` is `[n]` or
/// `[B, n]`; all are 1 if it is undefined.
///
/// x is constant on blocks, and there the weighted mean of y: so it is differentiable to any order in y and
/// weights, while blocks stay what they are. Blocks of equal mean count as one. A row becomes NaN if it has
/// NaN or ±∞, or a weight that is not finite and positive, as do its gradients.
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1, or weights do not fit. Cost: O(n)
/// a row; blocks are found on the host. (Ayer et al. 1955: pool adjacent violators.)
at::Tensor isotonic_regression(const at::Tensor& y, const at::Tensor& weights = {});

}  // namespace stillpoint::optim
