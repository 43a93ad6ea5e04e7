#pragma once

#include <cstdint>

namespace stillpoint::nn {

/// How a step of `NewtonCg` or `NaturalGradient` went.
struct CurvatureStep {
  double loss_before = 0;           ///< with the weight decay's share, as `loss_after`
  double loss_after = 0;            ///< never above `loss_before`
  double length = 0;                ///< of the step as a multiple of the full one; 0: none lowered the loss
  double gain = 0;                  ///< by the first trial: fall of the loss ÷ that of its quadratic model
  double damping = 0;               ///< that the step was computed with
  double gradient_norm = 0;         ///< Euclidean, where the step began
  std::int64_t products = 0;        ///< with the matrix
  std::int64_t evaluations = 0;     ///< of the loss, the recorded one included
  bool negative_curvature = false;  ///< the inner iteration met it, and ended there
};

}  // namespace stillpoint::nn
