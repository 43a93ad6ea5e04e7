#include "linear/kept_factor.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows/rows.h"
#include "linear/batched_solve.h"

namespace stillpoint::detail {
namespace {

// The product in the dtype of the matrix, for what is shaped and typed like t.
at::Tensor product_like(const at::Tensor& matrix, const at::Tensor& t) {
  const at::Tensor rows = widened(t).reshape({matrix.size(0), matrix.size(1)});
  return narrowed(matrix_times(matrix, rows).view(t.sizes()), t.scalar_type());
}

}  // namespace

KeptFactor::KeptFactor(const at::Tensor& matrix, const at::Tensor& b)
    : inverse_(inverse_or_pseudoinverse(matrix, b)) {}

void KeptFactor::renew(const Mask& marked, const at::Tensor& matrix, const at::Tensor& b) {
  const at::Tensor rows = to_mask(marked, inverse_).flatten().nonzero().flatten();
  inverse_ = inverse_.index_copy(
      0, rows, inverse_or_pseudoinverse(matrix.index_select(0, rows), b.index_select(0, rows)));
}

at::Tensor KeptFactor::solve(const at::Tensor& b) const { return product_like(inverse_, b); }

at::Tensor KeptFactor::solve_transposed(const at::Tensor& u) const {
  return product_like(inverse_.transpose(1, 2), u);
}

}  // namespace stillpoint::detail
