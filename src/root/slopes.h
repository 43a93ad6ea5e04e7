#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/core/tolerance.h"
#include "stillpoint/root/checked_map.h"

namespace stillpoint::detail {

/// ‖Jᵀρ‖ for each sample of z, with J = ∂g/∂z and ρ the residual over its norm: what a step of length one can
/// change the residual by, along itself. The norm of Jᵀρ is the dual of `norm`. A sample whose residual is
/// zero has a slope of zero. One recorded evaluation and one product.
std::vector<double> slopes(const CheckedMap& g, const at::Tensor& z, Norm norm);

}  // namespace stillpoint::detail
