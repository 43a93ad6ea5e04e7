#include "stillpoint/optim/projections/half_space.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <limits>

#include "optim/projections/arguments.h"

namespace stillpoint::optim {

at::Tensor project_half_space(const at::Tensor& y, const at::Tensor& normal, const RowNumber& offset) {
  detail::check_rows("y", y);
  const at::Tensor a = detail::for_each_row("normal", normal, {y.size(1)}, y);
  const at::Tensor b = detail::number_column("offset", offset, y);
  const at::Tensor none = (a.detach() == 0.0).all(1, /*keepdim=*/true);
  const at::Tensor everything = b == std::numeric_limits<double>::infinity();
  const at::Tensor exists = (none & (b < 0.0)).logical_not();
  // Zero has no direction: any other will do, since the row stays.
  const at::Tensor safe = a.masked_fill(none, 1.0);
  const at::Tensor length = detail::norm_column(safe);
  const at::Tensor unit = safe / length;
  const at::Tensor beyond = (unit * y).sum(1, /*keepdim=*/true) - b.masked_fill(everything, 0.0) / length;
  const at::Tensor inside = (beyond.detach() < 0.0) | none | everything;
  return detail::where_exists(exists, y - beyond.masked_fill(inside, 0.0) * unit);
}

}  // namespace stillpoint::optim
