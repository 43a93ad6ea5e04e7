#include "stillpoint/optim/projections/balls.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "optim/projections/arguments.h"
#include "optim/projections/onto_simplex.h"

namespace stillpoint::optim {

at::Tensor project_l1_ball(const at::Tensor& y, const RowNumber& radius) {
  detail::check_rows("y", y);
  const at::Tensor r = detail::number_column("radius", radius, y);
  return detail::project_where(r >= 0.0, y, [&](const at::Tensor& rows) {
    const at::Tensor sizes = rows.abs();
    const at::Tensor inside = sizes.detach().sum(1, /*keepdim=*/true) < r;
    return at::where(inside, rows, rows.detach().sign() * detail::onto_simplex(sizes, r));
  });
}

at::Tensor project_l2_ball(const at::Tensor& y, const RowNumber& radius) {
  detail::check_rows("y", y);
  const at::Tensor r = detail::number_column("radius", radius, y);
  return detail::project_where(r >= 0.0, y, [&](const at::Tensor& rows) {
    const at::Tensor norm = detail::norm_column(rows.detach());
    const at::Tensor inside = norm < r;
    // The direction of a row that stays is not asked for, and zero has none: neither may give NaN.
    const at::Tensor has_none = norm == 0.0;
    const at::Tensor safe = rows.masked_fill(has_none | inside, 1.0);
    const at::Tensor moved = (safe / detail::norm_column(safe)).masked_fill(has_none, 0.0) * r;
    return at::where(inside, rows, moved);
  });
}

at::Tensor project_linf_ball(const at::Tensor& y, const RowNumber& radius) {
  detail::check_rows("y", y);
  const at::Tensor r = detail::number_column("radius", radius, y);
  return detail::project_where(r >= 0.0, y, [&](const at::Tensor& rows) {
    return at::where(rows <= -r, -r, at::where(rows >= r, r, rows));
  });
}

}  // namespace stillpoint::optim
