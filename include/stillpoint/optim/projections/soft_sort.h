#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/optim/row_number.h"

namespace stillpoint::optim {

/// Each row of `theta`, `[B, n]`, sorted from its largest to its smallest number, and smoothed by eps > 0:
/// the projection of (n, …, 1) / eps onto the hull of all permutations of theta. It is the sorted row itself
/// for small eps, and tends to its mean as eps → ∞. `-soft_sort(-theta, eps)` sorts upward.
///
/// `soft_rank` is the rank of each number, 1 for the largest, smoothed: the projection of −theta / eps onto
/// the hull of all permutations of (n, …, 1).
///
/// Both are differentiable to any order in theta and eps while the blocks that the solution is constant on
/// stay what they are; blocks of equal mean count as one. A row with NaN or ±∞, or eps ≤ 0, becomes NaN, as
/// do its gradients.
///
/// Errors: a c10::Error if theta is not `[B, n]` in float or double with n ≥ 1, or eps does not fit. Cost:
/// one sort and O(n) a row; blocks are found on the host. (Blondel, Teboul, Berthet, Djolonga 2020, with
/// quadratic regularization.)
at::Tensor soft_sort(const at::Tensor& theta, const RowNumber& eps);
at::Tensor soft_rank(const at::Tensor& theta, const RowNumber& eps);

}  // namespace stillpoint::optim
