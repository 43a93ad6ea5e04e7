#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stillpoint::app {

/// What a linear model is fitted to.
enum class FitLoss : std::uint8_t {
  Squares,       ///< ½ ‖x W − y‖² for targets y [N, C]
  CrossEntropy,  ///< of logits x W, for labels [N] of C classes
};

/// The losses of samples, [N], of outputs [N, C].
at::Tensor fit_losses(FitLoss loss, const at::Tensor& outputs, const at::Tensor& targets);

/// W [F, C] with the least Σ losses + ½ Σ_f penalty_f ‖W_f‖², for features x [N, F] and penalties [F],
/// differentiable to any order in the penalties. `start` [F, C] is where the minimizer begins. Throws if it
/// does not converge, and the backward pass if that does not.
at::Tensor penalized_fit(FitLoss loss, const at::Tensor& x, const at::Tensor& targets,
                         const at::Tensor& penalties, const at::Tensor& start);

}  // namespace stillpoint::app
