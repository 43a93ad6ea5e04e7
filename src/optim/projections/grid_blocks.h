#pragma once

#include <ATen/core/Tensor.h>

#include "optim/projections/fused_blocks.h"
#include "optim/projections/grid_flow.h"

namespace stillpoint::detail {

/// Cuts a grid into the regions of which its total variation fit is constant: levels a region at the mean of
/// what is left of it, cuts it where that fails, and goes on with the parts. The forces that remain are the
/// dual solution.
struct GridFit {
  GridFit(const double* y, std::int64_t height, std::int64_t width, double limit);

  GridFlow flow;
  std::vector<GridFlow::Pixels> blocks;  ///< connected
};

/// The form of the fit to the grids `y`, `[B, H, W]`, with lambda `[B, 1]` or `[1, 1]`; its tensors are
/// `[B, H·W]`. One block for a grid that is not finite, or whose lambda is not ≥ 0. On the host, in double.
FusedBlocks grid_blocks(const at::Tensor& y, const at::Tensor& lambda);

}  // namespace stillpoint::detail
