#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "stillpoint/core/mask.h"
#include "stillpoint/optim/least_squares.h"

namespace stillpoint {

/// Options of `covariance`.
struct CovarianceOptions {
  RobustLoss loss = optim::Squared{};  ///< that of the fit, and its block
  std::int64_t block = 1;
  /// > 0: the variance of the residuals, if it is known, such as 1 where they were divided by their standard
  /// deviations. Empty: it is estimated.
  std::optional<double> variance = {};
  at::Tensor lower = {};  ///< the bounds of the fit
  at::Tensor upper = {};
};

/// How well least squares determine their unknowns; for each sample.
struct Covariance {
  at::Tensor matrix;     ///< s² (JᵀJ)⁻¹, `[B, N, N]`, of the numbers of x in row-major order
  at::Tensor deviation;  ///< the roots of its diagonal, in the shape of x
  at::Tensor variance;   ///< s², `[B]`: Σ ρ(r²) / (M − N), where N does not count unknowns at a bound
  std::vector<std::int64_t> rank;  ///< of J, without the columns of unknowns at a bound
  Mask singular;                   ///< where that is less than their number: matrix and deviation are NaN
};

/// The covariance of the estimate x, `[B, …]`, which `least_squares` found for this residual, if errors of
/// the residuals are independent, of one size, and small enough for the residual to be linear within them.
/// With a robust loss residuals count by their weights ρ′; then it is an approximation. What a bound holds (x
/// on it, and the cost falling beyond) counts as known: its rows and columns are zero. s² is NaN where there
/// are no more residuals than unknowns.
///
/// J is factorized with its columns scaled, and JᵀJ not formed. The rank counts singular values above
/// rounding, so neither units of unknowns nor of residuals matter to it.
///
/// **Gradient.** All three tensors are differentiable, in x and in what the residual captured, unless
/// gradients are off. **Errors.** A c10::Error as of `least_squares`, or if `variance` is not positive.
/// **Cost.** One evaluation, N + 1 products, and 2 B M N² operations.
Covariance covariance(const Residual& residual, const at::Tensor& x, const CovarianceOptions& options = {});

}  // namespace stillpoint
