#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "stillpoint/optim/robust_loss.h"

namespace stillpoint::detail {

/// What residuals cost: a loss of the squares of blocks of them.
struct FitCost {
  RobustLoss loss;
  std::int64_t block = 1;

  bool is_squared() const { return loss.target<optim::Squared>() != nullptr; }
  /// Throws unless the block is ≥ 1, and divides the number of residuals `[B, …]`.
  void check(const at::Tensor& residual) const;
  /// ½ Σ ρ for each sample, `[B]`, of residuals `[B, …]`; differentiable.
  at::Tensor value(const at::Tensor& residual) const;
  /// ρ′ for each of the residuals, `[B, M]`; differentiable if gradients are on.
  at::Tensor weights(const at::Tensor& residual) const;

 private:
  at::Tensor squares(const at::Tensor& residual) const;
};

}  // namespace stillpoint::detail
