#include "equations/solvers/inverse_jacobian.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows/rows.h"
#include "linear/batched_solve.h"

namespace stillpoint {

at::Tensor detail::inverse_jacobian(const Linearization& here) {
  return inverse_or_pseudoinverse(here.dense(), here.residual());
}

void detail::renew_inverse(const Linearization& here, const Mask& marked, at::Tensor& inverse) {
  const at::Tensor rows = to_mask(marked, inverse).flatten().nonzero().flatten();
  inverse.index_copy_(
      0, rows,
      inverse_or_pseudoinverse(here.dense().index_select(0, rows), here.residual().index_select(0, rows)));
}

Map detail::transposed_inverse(const at::Tensor& inverse) {
  return [transposed = inverse.transpose(1, 2)](const at::Tensor& u) {
    const at::Tensor columns = widened(u).reshape({transposed.size(0), transposed.size(1), 1});
    return narrowed(at::bmm(transposed, columns).view(u.sizes()), u.scalar_type());
  };
}

Map detail::transposed_inverse_at(const Linearization& here) {
  if (here.residual().numel() == 0) return [](const at::Tensor& u) { return u; };
  return transposed_inverse(inverse_jacobian(here));
}

}  // namespace stillpoint
