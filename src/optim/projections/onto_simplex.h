#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::detail {

/// The nearest points to the rows of y in {x ≥ 0, Σ x = radius}, with radius `[B, 1]` or `[1, 1]`, ≥ 0.
at::Tensor onto_simplex(const at::Tensor& y, const at::Tensor& radius);

}  // namespace stillpoint::detail
