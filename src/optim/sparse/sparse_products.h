#pragma once

#include "optim/qp/both_products.h"

namespace stillpoint::detail {

/// `both_products` for a sparse CSR matrix and one sample, x `[1, n]` and w `[1, m]`: O(nnz), differentiable
/// to any order in the values, in x and in w.
BothProducts sparse_products(const at::Tensor& m, const at::Tensor& x, const at::Tensor& w);

}  // namespace stillpoint::detail
