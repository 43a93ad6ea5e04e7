#pragma once

#include <cstdint>
#include <vector>

#include "stillpoint/core/monitor.h"
#include "stillpoint/equations/linearization.h"

namespace stillpoint::detail {

/// The inverse of A = −∂r/∂z for each sample, `[B, N, N]`; the pseudoinverse where A is singular.
at::Tensor inverse_jacobian(const Linearization& here);

/// Replaces the inverses of the marked samples by those at `here`.
void renew_inverse(const Linearization& here, const Mask& marked, at::Tensor& inverse);

/// Leaves an inverse of A, `[B, N, N]`, with the monitor.
void leave_inverse(Monitor& monitor, const at::Tensor& inverse);

/// The same for a solver that ended where it began, and has computed no Jacobian: it is computed now.
void leave_inverse_at(Monitor& monitor, const Linearization& here);

}  // namespace stillpoint::detail
