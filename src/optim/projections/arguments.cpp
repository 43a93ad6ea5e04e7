#include "optim/projections/arguments.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <limits>
#include <vector>

#include "core/check.h"

namespace stillpoint::detail {

void check_rows(const char* what, const at::Tensor& t, std::int64_t dimensions) {
  check_state(what, t);
  TORCH_CHECK(t.scalar_type() == at::kFloat || t.scalar_type() == at::kDouble, what,
              ": expected float or double, got ", t.scalar_type());
  bool fits = t.dim() == dimensions;
  for (std::int64_t d = 1; fits && d < dimensions; ++d) fits = t.size(d) > 0;
  TORCH_CHECK(fits, what, ": expected ", dimensions,
              " dimensions, of which only the batch may be empty, got shape ", t.sizes());
}

at::Tensor number_column(const char* what, const optim::RowNumber& number, const at::Tensor& y) {
  if (!number.tensor.defined()) return at::full({1, 1}, number.number, y.options());
  const at::Tensor& t = number.tensor;
  const bool fits = t.dim() == 0 || (t.dim() == 1 && t.size(0) == y.size(0));
  TORCH_CHECK(fits && t.scalar_type() == y.scalar_type() && t.device() == y.device(), what,
              ": expected a number, or a tensor without dimensions or of shape [", y.size(0), "], ",
              y.scalar_type(), ", on ", y.device(), "; got ", t.sizes(), ", ", t.scalar_type(), ", on ",
              t.device());
  check_no_transform(what, t);
  return t.reshape({-1, 1});
}

at::Tensor positive_column(const char* what, const optim::RowNumber& number, const at::Tensor& y) {
  at::Tensor column = number_column(what, number, y);
  TORCH_CHECK((column > 0).all().item<bool>(), what, ": expected numbers > 0, got ", column.min());
  return column;
}

at::Tensor for_each_row(const char* what, const at::Tensor& t, at::IntArrayRef shape, const at::Tensor& y) {
  std::vector<std::int64_t> sizes{y.size(0)};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  const at::IntArrayRef full(sizes);
  const bool fits = t.defined() && (t.sizes() == shape || t.sizes() == full);
  TORCH_CHECK(t.defined(), what, ": expected shape ", shape, " or ", full, ", got an undefined tensor");
  TORCH_CHECK(fits && t.scalar_type() == y.scalar_type() && t.device() == y.device(), what,
              ": expected shape ", shape, " or ", full, ", ", y.scalar_type(), ", on ", y.device(), "; got ",
              t.sizes(), ", ", t.scalar_type(), ", on ", t.device());
  check_no_transform(what, t);
  return t.expand(full);
}

at::Tensor where_exists(const at::Tensor& exists, const at::Tensor& x) {
  // A product, and no selection: the derivatives have to say so, too.
  const at::Tensor ones = at::ones_like(exists, x.options());
  return x * ones.masked_fill(exists.logical_not(), std::numeric_limits<double>::quiet_NaN());
}

at::Tensor norm_column(const at::Tensor& x) {
  // In units of the largest number, so that no square leaves the range of the dtype.
  const at::Tensor largest = x.detach().abs().amax(1, /*keepdim=*/true);
  const at::Tensor unit = largest.masked_fill(largest == 0.0, 1.0);
  return (x / unit).square().sum(1, /*keepdim=*/true).sqrt() * unit;
}

}  // namespace stillpoint::detail
