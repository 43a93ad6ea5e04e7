#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/core/map.h"

namespace stillpoint::detail {

/// `recompute` of a map that is evaluated as `first` now, and as `again` by backward passes.
at::Tensor recompute(const Map& first, Map again, const at::Tensor& x);

}  // namespace stillpoint::detail
