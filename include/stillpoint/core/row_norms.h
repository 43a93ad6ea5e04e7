#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <vector>

#include "stillpoint/core/tolerance.h"

namespace stillpoint {

/// Per sample, the norm of the residual and the scale that the relative tolerance multiplies.
struct RowNorms {
  std::vector<double> residual;
  std::vector<double> scale;

  bool finite(std::size_t sample) const {
    return std::isfinite(residual[sample]) && std::isfinite(scale[sample]);
  }
};

/// The norms of `fz − z` and of `z` for each sample of two contiguous tensors `[B, …]`. One pass on the CPU.
void residual_norms(const at::Tensor& z, const at::Tensor& fz, Norm norm, RowNorms& norms);

}  // namespace stillpoint
