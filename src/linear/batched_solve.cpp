#include "linear/batched_solve.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/dtype.h"
#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

at::Tensor as_vectors(const at::Tensor& t, const at::Tensor& matrix) {
  return t.reshape({matrix.size(0), matrix.size(1)});
}

// The samples for which A x is not b, not even to two digits, as indices; NaN is never b. LU is stable, so A
// is singular to rounding there, in the direction of b at least. The largest entries do not overflow.
at::Tensor unsolved(const at::Tensor& matrix, const at::Tensor& b, const at::Tensor& x) {
  constexpr double digits = 1e-2;
  const at::Tensor error = (matrix_times(matrix, x) - b).abs().amax(1);
  return (error <= digits * b.abs().amax(1)).logical_not().nonzero().flatten();
}

at::Tensor finite_rows(const at::Tensor& t) { return at::isfinite(t).flatten(1).all(1); }

// For finite matrices. A column of zeros has no size, and is left as it is.
at::Tensor scaled_pseudoinverse(const at::Tensor& matrix) {
  const at::Tensor largest = matrix.abs().amax(1, /*keepdim=*/true);
  const at::Tensor unit = at::where(largest > 0, largest, 1);
  const at::Tensor columns = matrix / unit;
  const at::Tensor length = columns.square().sum(1, /*keepdim=*/true).sqrt();
  const at::Tensor size = at::where(largest > 0, length, 1);
  const double rounding = machine_epsilon(matrix.scalar_type()) * static_cast<double>(matrix.size(1));
  const at::Tensor inverse = at::linalg_pinv(columns / size, rounding);
  return inverse / (size * unit).transpose(1, 2);
}

// The pseudoinverse; the identity where the matrix is not finite.
at::Tensor pseudoinverse(const at::Tensor& matrix) {
  const at::Tensor finite = finite_rows(matrix).view({-1, 1, 1});
  const at::Tensor identity = at::eye(matrix.size(1), matrix.options());
  return at::where(finite, scaled_pseudoinverse(at::where(finite, matrix, identity)), identity);
}

}  // namespace

at::Tensor least_squares_where_singular(const at::Tensor& matrix, const at::Tensor& b, const at::Tensor& x,
                                        const Mask& wanted) {
  const at::Tensor flat = as_vectors(b, matrix);
  at::Tensor rows = unsolved(matrix, flat, as_vectors(x, matrix));
  if (rows.numel() == 0) return x;
  rows = rows.masked_select(to_mask(wanted, flat).flatten().index_select(0, rows));
  if (rows.numel() == 0) return x;
  const at::Tensor here = flat.index_select(0, rows);
  const at::Tensor least = matrix_times(pseudoinverse(matrix.index_select(0, rows)), here);
  const at::Tensor mended = at::where(finite_rows(least).unsqueeze(1), least, here);
  return as_vectors(x, matrix).index_copy(0, rows, mended).view(x.sizes());
}

at::Tensor solve_or_least_squares(const at::Tensor& matrix, const at::Tensor& b, const Mask& wanted) {
  const at::Tensor a = widened(matrix);
  const at::Tensor rhs = widened(as_vectors(b, matrix));
  const at::Tensor x = std::get<0>(at::linalg_solve_ex(a, rhs.unsqueeze(2))).squeeze(2);
  return least_squares_where_singular(a, rhs, x, wanted).view(b.sizes()).to(b.scalar_type());
}

at::Tensor inverse_or_pseudoinverse(const at::Tensor& matrix, const at::Tensor& b) {
  const at::Tensor a = widened(matrix);
  const at::Tensor rhs = widened(as_vectors(b, matrix));
  at::Tensor inverse = std::get<0>(at::linalg_inv_ex(a));
  const at::Tensor rows = unsolved(a, rhs, matrix_times(inverse, rhs));
  if (rows.numel() > 0) inverse.index_copy_(0, rows, pseudoinverse(a.index_select(0, rows)));
  return inverse;
}

}  // namespace stillpoint::detail
