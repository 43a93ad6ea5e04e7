#include "optim/sparse/sparse_products.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "stillpoint/optim/sparse_matrix.h"

namespace stillpoint::detail {
namespace {

at::Tensor row_of_each(const at::Tensor& starts) {
  const at::Tensor counts = starts.narrow(0, 1, starts.size(0) - 1) - starts.narrow(0, 0, starts.size(0) - 1);
  return at::repeat_interleave(counts);
}

// The sum of values times v[from], at `to`.
at::Tensor gathered(const at::Tensor& values, const at::Tensor& v, const at::Tensor& from,
                    const at::Tensor& to, std::int64_t width) {
  const at::Tensor terms = values * v.reshape({-1}).index_select(0, from);
  return at::zeros({width}, v.options()).index_add(0, to, terms).unsqueeze(0);
}

}  // namespace

BothProducts sparse_products(const at::Tensor& m, const at::Tensor& x, const at::Tensor& w) {
  const at::Tensor numbers = m.detach();
  const at::Tensor column = numbers.col_indices().to(at::kLong);
  const at::Tensor row = row_of_each(numbers.crow_indices().to(at::kLong));
  const at::Tensor values = optim::sparse_values(m);
  return {gathered(values, x, column, row, m.size(0)), gathered(values, w, row, column, m.size(1))};
}

}  // namespace stillpoint::detail
