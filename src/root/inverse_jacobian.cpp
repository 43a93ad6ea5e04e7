#include "root/inverse_jacobian.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace stillpoint {

at::Tensor detail::inverse_jacobian(const Linearization& here) {
  const at::Tensor matrix = here.dense();
  const at::Tensor inverse = std::get<0>(at::linalg_inv_ex(matrix));
  const at::Tensor usable = at::isfinite(inverse).flatten(1).all(1).view({-1, 1, 1});
  return at::where(usable, inverse, at::eye(matrix.size(1), matrix.options()));
}

}  // namespace stillpoint
