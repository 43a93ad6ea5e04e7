#include "stillpoint/optim/projections/box.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "optim/projections/arguments.h"

namespace stillpoint::optim {

at::Tensor project_box(const at::Tensor& y, const at::Tensor& lower, const at::Tensor& upper) {
  detail::check_rows("y", y);
  const at::Tensor low = detail::for_each_row("lower", lower, {y.size(1)}, y);
  const at::Tensor high = detail::for_each_row("upper", upper, {y.size(1)}, y);
  const at::Tensor x = at::where(y <= low, low, at::where(y >= high, high, y));
  return detail::where_exists(low <= high, x);
}

}  // namespace stillpoint::optim
