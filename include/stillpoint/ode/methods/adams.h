#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/ode/stepping.h"

namespace stillpoint::ode {

/// Order 4, the predictor of Adams and Bashforth with the corrector of Adams and Moulton: predict, evaluate,
/// correct, evaluate. Two evaluations a step where the classical Runge–Kutta method of the same order has
/// four, for larger errors at the same step. It needs `ConstantStep`. The first three steps, and those after
/// a jump, an event or a step of another length, are classical Runge–Kutta ones. (Hairer, Nørsett, Wanner,
/// "Solving Ordinary Differential Equations I", III.1.)
struct AdamsBashforthMoulton {
  static constexpr int order = 4;

  std::vector<at::Tensor> begin(const SlopeFunction& f, const at::Tensor& t, const at::Tensor& y) const;
  Stepped step(const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
               const std::vector<at::Tensor>& memory) const;
};

}  // namespace stillpoint::ode
