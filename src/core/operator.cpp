#include "stillpoint/core/operator.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>

#include "core/check.h"
#include "core/rows/rows.h"

namespace stillpoint {

at::Tensor LinearOperator::mv(const at::Tensor& v) const {
  return identity_minus ? v - product(v) : product(v);
}

namespace {

// Writes the product with unit vector j to columns[b, j] for each sample b.
template <class T>
void products_by_rows(const LinearOperator& a, const at::Tensor& like, at::Tensor& columns) {
  const std::int64_t batch = columns.size(0);
  const std::int64_t width = columns.size(1);
  T* out = columns.data_ptr<T>();
  for (std::int64_t j = 0; j < width; ++j) {
    const at::Tensor unit = at::zeros(like.sizes(), like.options());
    for (std::int64_t b = 0; b < batch; ++b) unit.data_ptr<T>()[b * width + j] = 1;
    const at::Tensor column = a.product(unit).contiguous();
    detail::check_like("LinearOperator.product", column, like);
    const T* rows = column.data_ptr<T>();
    for (std::int64_t b = 0; b < batch; ++b) {
      std::copy_n(rows + b * width, width, out + (b * width + j) * width);
    }
  }
}

void products(const LinearOperator& a, const at::Tensor& like, at::Tensor& columns) {
  const std::int64_t batch = columns.size(0);
  const std::int64_t width = columns.size(1);
  for (std::int64_t j = 0; j < width; ++j) {
    at::Tensor unit = at::zeros({batch, width}, like.options());
    unit.select(1, j).fill_(1.0);
    columns.select(1, j).copy_(a.product(unit.view(like.sizes())).reshape({batch, width}));
  }
}

}  // namespace

at::Tensor to_dense(const LinearOperator& a, const at::Tensor& like) {
  const std::int64_t batch = like.size(0);
  const std::int64_t width = detail::row_width(like);
  at::Tensor columns = at::empty({batch, width, width}, like.options());
  if (detail::has_row_kernels(like)) {
    AT_DISPATCH_FLOATING_TYPES(like.scalar_type(), "to_dense",
                               [&] { products_by_rows<scalar_t>(a, like, columns); });
  } else {
    products(a, like, columns);
  }
  if (a.identity_minus) columns.neg_().diagonal(0, 1, 2).add_(1.0);
  return columns.transpose(1, 2);
}

}  // namespace stillpoint
