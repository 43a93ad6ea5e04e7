#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::optim {

/// The nearest point to each row of `y`, `[B, n]`, of {A x = b}, with A `[m, n]` or `[B, m, n]` and b `[m]`
/// or
/// `[B, m]`. Rows of A may depend on each other.
///
/// Differentiable to any order in y, b and A. Where rows of A are dependent, b and A can only be moved so
/// that their equations stay consistent, and the gradient is right along such directions. A row whose
/// equations contradict each other, to rounding, or that has NaN or ±∞, becomes NaN, as do its gradients.
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1, or another argument does not fit.
/// Cost: one singular value decomposition of A a row, which does not square its condition number.
at::Tensor project_affine_set(const at::Tensor& y, const at::Tensor& A, const at::Tensor& b);

}  // namespace stillpoint::optim
