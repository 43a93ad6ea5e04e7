#include "root/inverse_jacobian.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows.h"

namespace stillpoint {

at::Tensor detail::inverse_or_identity(const at::Tensor& matrix) {
  const at::Tensor inverse = std::get<0>(at::linalg_inv_ex(widened(matrix)));
  const at::Tensor usable = at::isfinite(inverse).flatten(1).all(1).view({-1, 1, 1});
  return at::where(usable, inverse, at::eye(matrix.size(1), inverse.options())).to(matrix.scalar_type());
}

at::Tensor detail::inverse_jacobian(const Linearization& here) { return inverse_or_identity(here.dense()); }

void detail::renew_inverse(const Linearization& here, const std::vector<std::uint8_t>& marked,
                           at::Tensor& inverse) {
  const at::Tensor rows = to_mask(marked, inverse).flatten().nonzero().flatten();
  inverse.index_copy_(0, rows, inverse_or_identity(here.dense().index_select(0, rows)));
}

void detail::leave_inverse(Monitor& monitor, const at::Tensor& inverse) {
  monitor.leave_inverse([transposed = inverse.transpose(1, 2)](const at::Tensor& u) {
    return at::bmm(transposed, u.reshape({transposed.size(0), transposed.size(1), 1})).view(u.sizes());
  });
}

void detail::leave_inverse_at(Monitor& monitor, const Linearization& here) {
  if (here.residual().numel() == 0) {
    monitor.leave_inverse([](const at::Tensor& u) { return u; });
  } else {
    leave_inverse(monitor, inverse_jacobian(here));
  }
}

}  // namespace stillpoint
