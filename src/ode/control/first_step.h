#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ode/control/limits.h"
#include "ode/schedule.h"
#include "ode/slope.h"

namespace stillpoint::detail {

/// A length for the first step of each clock (Hairer, Nørsett, Wanner, "Solving Ordinary Differential
/// Equations I", II.4), never longer than its whole way. One evaluation beside the slope at the start.
std::vector<double> first_steps(const Slope& f, const at::Tensor& y0, const at::Tensor& slope,
                                const Schedule& schedule, int order, const Limits& limits);

}  // namespace stillpoint::detail
