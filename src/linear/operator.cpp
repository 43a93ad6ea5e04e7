#include "stillpoint/linear/operator.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows.h"

namespace stillpoint {

at::Tensor LinearOperator::mv(const at::Tensor& v) const {
  return identity_minus ? v - product(v) : product(v);
}

at::Tensor to_dense(const LinearOperator& a, const at::Tensor& like) {
  const std::int64_t batch = like.size(0);
  const std::int64_t width = detail::row_width(like);
  at::Tensor columns = at::empty({batch, width, width}, like.options());
  for (std::int64_t j = 0; j < width; ++j) {
    at::Tensor unit = at::zeros({batch, width}, like.options());
    unit.select(1, j).fill_(1.0);
    columns.select(1, j).copy_(a.product(unit.view(like.sizes())).reshape({batch, width}));
  }
  if (a.identity_minus) columns.neg_().diagonal(0, 1, 2).add_(1.0);
  return columns.transpose(1, 2);
}

}  // namespace stillpoint
