#pragma once

#include <cstdint>
#include <vector>

#include "stillpoint/equations/linearization.h"

namespace stillpoint::detail {

/// The inverse of A = −∂r/∂z for each sample, `[B, N, N]`; the pseudoinverse where A is singular.
at::Tensor inverse_jacobian(const Linearization& here);

/// Replaces the inverses of the marked samples by those at `here`.
void renew_inverse(const Linearization& here, const Mask& marked, at::Tensor& inverse);

/// u ↦ A⁻ᵀu from the inverse of A, `[B, N, N]`, as `LeavesInverse` has it.
Map transposed_inverse(const at::Tensor& inverse);

/// The same for a solver that ended where it began, and has computed no Jacobian: it is computed now.
Map transposed_inverse_at(const Linearization& here);

}  // namespace stillpoint::detail
