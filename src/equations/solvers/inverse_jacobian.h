#pragma once

#include "linear/kept_factor.h"
#include "stillpoint/equations/linearization.h"

namespace stillpoint::detail {

/// The inverse of A = −∂r/∂z for each sample, `[B, N, N]`; the pseudoinverse where A is singular.
at::Tensor inverse_jacobian(const Linearization& here);

/// u ↦ A⁻ᵀu, as `LeavesInverse` has it.
Map transposed_inverse(KeptFactor a);

/// The same for a solver that ended where it began, and has computed no Jacobian: it is computed now.
Map transposed_inverse_at(const Linearization& here);

}  // namespace stillpoint::detail
