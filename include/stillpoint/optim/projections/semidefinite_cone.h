#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::optim {

/// The nearest symmetric positive semidefinite matrix, in the Frobenius norm, to each matrix of `y`, `[B, n,
/// n]`, of which the symmetric part counts.
///
/// Differentiable to any order where a derivative exists, also where eigenvalues meet: |Y| is attached as the
/// solution of S S = Y Y by the implicit rule, whose systems divide by sums of |eigenvalues|, not by
/// differences of eigenvalues. An eigenvalue of zero, to rounding, counts as negative. A matrix with NaN or
/// ±∞ becomes NaN, as do its gradients.
///
/// Errors: a c10::Error if y is not `[B, n, n]` in float or double with n ≥ 1. Cost: one symmetric
/// eigendecomposition; in the backward pass a few matrix products. (Higham 1988.)
at::Tensor project_semidefinite_cone(const at::Tensor& y);

}  // namespace stillpoint::optim
