#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/core/tolerance.h"
#include "stillpoint/equations/checked_map.h"

namespace stillpoint::detail {

/// What a step of length one can change the residual by, for each sample of z: ‖Jᵀρ‖ in the dual of `norm`,
/// with J = ∂g/∂z and ρ the residual over its norm. Where that lets a residual pass as `target` times the
/// slope, in a sample of at most 64 numbers, it is no more than ‖g‖ over the length of Newton's step, unless
/// the residual is as small as the rounding errors of g. A sample whose residual is zero has a slope of zero.
/// One recorded evaluation and a product, and N more if a sample passes.
std::vector<double> slopes(const CheckedMap& g, const at::Tensor& z, Norm norm,
                           const std::vector<double>& target);

}  // namespace stillpoint::detail
