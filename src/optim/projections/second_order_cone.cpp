#include "stillpoint/optim/projections/second_order_cone.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <utility>

#include "optim/projections/arguments.h"

namespace stillpoint::optim {

at::Tensor project_second_order_cone(const at::Tensor& y) {
  detail::check_rows("y", y);
  if (y.size(1) == 1) return y.clamp_min(0.0);
  const at::Tensor rows = y.contiguous();
  const auto split = [](const at::Tensor& t) {
    return std::pair(t.narrow(1, 0, 1), t.narrow(1, 1, t.size(1) - 1).contiguous());
  };
  const auto [height, sides] = split(rows.detach());
  const at::Tensor radius = detail::norm_column(sides);
  const at::Tensor zero = radius <= -height;
  const at::Tensor inside = (radius < height) & zero.logical_not();
  // Rows of the other cases must not give NaN by the norm of a zero.
  const auto [t, u] = split(rows.masked_fill(inside | zero, 1.0));
  const at::Tensor norm = detail::norm_column(u);
  const at::Tensor half = 0.5 * (t + norm);
  const at::Tensor moved = at::cat({half, half * (u / norm)}, 1);
  return at::where(inside, rows, moved.masked_fill(zero, 0.0));
}

}  // namespace stillpoint::optim
