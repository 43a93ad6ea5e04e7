#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ode/slope.h"

namespace stillpoint::detail {

/// A length for the first step of each sample (Hairer, Nørsett, Wanner, "Solving Ordinary Differential
/// Equations I", II.4), never longer than its whole way. One evaluation beside the slope at the start.
/// `start` and `length` (signed) have one number for the batch, or one a sample.
std::vector<double> first_steps(const Slope& f, const at::Tensor& y0, const at::Tensor& slope, bool joint,
                                const std::vector<double>& start, const std::vector<double>& length,
                                int order, double absolute, double relative);

}  // namespace stillpoint::detail
