#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stillpoint::optim {

/// The matrix `[rows, columns]` with these values as a sparse CSR tensor that knows its values' graph.
/// `row_starts` is `[rows + 1]` and `column_indices` `[nnz]`, of integers; `values` is `[nnz]`. Programs with
/// such a matrix are differentiable in `values` to any order. LibTorch's own `sparse_csr_tensor` cuts the
/// graph in version 1.13. Cost: the check of the indices, O(nnz).
///
/// **Errors.** Those of LibTorch where the indices are no such matrix.
at::Tensor sparse_matrix(const at::Tensor& row_starts, const at::Tensor& column_indices,
                         const at::Tensor& values, std::int64_t rows, std::int64_t columns);

/// The values `[nnz]` of a sparse CSR tensor, differentiable to any order. The gradient that arrives at a
/// matrix which requires one is a sparse CSR tensor of its pattern.
at::Tensor sparse_values(const at::Tensor& matrix);

}  // namespace stillpoint::optim
