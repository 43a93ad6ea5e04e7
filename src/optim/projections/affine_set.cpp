#include "stillpoint/optim/projections/affine_set.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <string>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "optim/projections/arguments.h"

namespace stillpoint {
namespace {

// Whether A x = b for each row, to rounding: `[B, 1]`.
at::Tensor solves(const at::Tensor& A, const at::Tensor& x, const at::Tensor& b) {
  const at::NoGradGuard no_grad;
  const auto largest = [](const at::Tensor& t) { return t.abs().amax(1, /*keepdim=*/true); };
  const double rounding =
      10.0 * static_cast<double>(A.size(1) + A.size(2)) * detail::machine_epsilon(x.scalar_type());
  const at::Tensor scale = largest(detail::matrix_times(A.abs(), x.abs())) + largest(b);
  return largest(detail::matrix_times(A, x) - b) <= rounding * scale;
}

}  // namespace

at::Tensor optim::project_affine_set(const at::Tensor& y, const at::Tensor& A, const at::Tensor& b) {
  detail::check_rows("y", y);
  TORCH_CHECK(A.defined() && A.dim() >= 2 && A.size(-2) > 0, "A: expected shape [m, ", y.size(1), "] or [",
              y.size(0), ", m, ", y.size(1), "] with m ≥ 1, got ",
              A.defined() ? c10::str(A.sizes()) : std::string("an undefined tensor"));
  const std::int64_t equations = A.size(-2);
  const at::Tensor given = detail::for_each_row("A", A, {equations, y.size(1)}, y);
  const at::Tensor right = detail::for_each_row("b", b, {equations}, y).contiguous();
  // LAPACK gives up a whole batch for one matrix that is not finite.
  const at::Tensor finite = at::isfinite(given).flatten(1).all(1).view({-1, 1, 1});
  const at::Tensor matrix = given.masked_fill(finite.logical_not(), 0.0).contiguous();
  // A shared matrix needs one decomposition only, and then gives the same bits whatever the batch.
  const bool is_shared = A.dim() == 2 && y.size(0) > 0;
  const at::Tensor inverse = is_shared ? at::linalg_pinv(matrix.narrow(0, 0, 1)).expand({y.size(0), -1, -1})
                                       : at::linalg_pinv(matrix);
  const at::Tensor x =
      y - detail::matrix_times(inverse.contiguous(), detail::matrix_times(matrix, y.contiguous()) - right);
  return detail::where_exists(finite.view({-1, 1}) & solves(matrix, x, right), x);
}

}  // namespace stillpoint
