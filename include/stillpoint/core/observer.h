#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint {

/// What an observer sees of a solve. Valid during the call. You may keep the tensor `z`, but must not write
/// to it.
struct Iterate {
  std::int64_t step;    ///< 0 at the starting point
  const at::Tensor& z;  ///< `[B, …]`, no gradients; a finished sample shows what will come back for it
  const std::vector<double>& residual;  ///< per sample, at z, in the norm of the tolerance
  const Mask& running;                  ///< 1 for a sample that goes on from here, else 0
};

/// Called at each iterate of a solve, with gradients off. A state of several tensors arrives packed as `[B,
/// N]`: use `Packing(z0).unpack(iterate.z)`. An exception ends the solve and passes through.
using Observer = std::function<void(const Iterate&)>;

}  // namespace stillpoint
