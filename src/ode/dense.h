#pragma once

#include <ATen/core/Tensor.h>

#include "ode/frozen_solve.h"

namespace stillpoint::detail {

/// The states of a solve at times `[K]` or `[B, K]`: `[B, K, …]`. `carries`, `[B, 1 + S, …]`, are where each
/// step starts, and where the last one leads.
at::Tensor dense_values(const FrozenSolve& solve, const at::Tensor& carries, const at::Tensor& t);

}  // namespace stillpoint::detail
