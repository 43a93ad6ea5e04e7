#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stillpoint/core/solution.h"

namespace stillpoint::optim {

/// Options of `project_birkhoff_polytope`.
struct BirkhoffOptions {
  std::int64_t max_iterations = 2000;  ///< ≥ 0, in sweeps over rows and columns
  OnFailure on_failure = OnFailure::Warn;
};

/// The nearest doubly stochastic matrix, in the Frobenius norm, to each matrix of `y`, `[B, n, n]`: entries ≥
/// 0, rows and columns with the sum 1, the hull of all permutation matrices.
///
/// Differentiable in y. The projection is piecewise linear, and its derivative is exact; where an entry has
/// just become zero, it is the one of the side on which it stays zero.
///
/// **Status** is per sample: `Converged` where the sums are 1 to rounding, which is what `residual` has;
/// `MaxIterations` else, and the value then is no projection; `NonFinite` with NaN or ±∞, where the value and
/// its gradients are NaN.
///
/// Errors: a c10::Error if y is not `[B, n, n]` in float or double with n ≥ 1, or an option is out of range.
/// Cost: a sweep sorts all rows and columns; Newton's steps, tried after 1, 2, 4, … of them and while they
/// help, solve a system of 2n unknowns. (Block coordinate ascent in the dual of its constraints, as Blondel,
/// Seguy, Rolet 2018; Newton's steps as Li, Sun, Toh 2020.)
Solution<at::Tensor> project_birkhoff_polytope(const at::Tensor& y, const BirkhoffOptions& options = {});

}  // namespace stillpoint::optim
