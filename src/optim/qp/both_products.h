#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::detail {

struct BothProducts {
  at::Tensor forward, transposed;
};

/// Mx and M'w for each sample, differentiable to any order: x `[B, n]`, w `[B, m]`, M `[m, n]` or `[B, m,
/// n]`. Matrices of their own in double on the CPU are read once, and get their gradient in one pass.
BothProducts both_products(const at::Tensor& m, const at::Tensor& x, const at::Tensor& w);

}  // namespace stillpoint::detail
