#pragma once

#include <ATen/core/Tensor.h>

#include "optim/projections/blocks.h"
#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

/// Of what form the total variation fit to each row is.
struct FusedBlocks {
  Blocks blocks;
  at::Tensor pull;  ///< `[B, n]`, like y: the derivative of the fit in lambda
  Mask weak;
};

/// The form of the fit to the rows of `y`, with lambda `[B, 1]` or `[1, 1]`. One block for a row that is not
/// finite, or whose lambda is not ≥ 0. On the host, in double.
FusedBlocks fused_blocks(const at::Tensor& y, const at::Tensor& lambda);

}  // namespace stillpoint::detail
