#pragma once

#include "stillpoint/root/linearization.h"

namespace stillpoint::detail {

/// The inverse of A = −∂r/∂z for each sample, `[B, N, N]`; the identity where A is singular.
at::Tensor inverse_jacobian(const Linearization& here);

}  // namespace stillpoint::detail
