#include "stillpoint/optim/projections/simplex.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <tuple>

#include "optim/projections/arguments.h"
#include "optim/projections/onto_simplex.h"

namespace stillpoint {
namespace {

// Which entries are positive in the projection; all of a row with NaN, which so becomes NaN. At least one.
at::Tensor simplex_support(const at::Tensor& y, const at::Tensor& radius) {
  const at::NoGradGuard no_grad;
  const at::Tensor wide = y.to(at::kDouble);
  const at::Tensor sorted = std::get<0>(at::sort(wide, 1, /*descending=*/true));
  const at::Tensor count = at::arange(1, y.size(1) + 1, sorted.options());
  const at::Tensor above = sorted * count > at::cumsum(sorted, 1) - radius;
  const at::Tensor last = above.sum(1, /*keepdim=*/true).clamp_min(1) - 1;
  return (wide < sorted.gather(1, last)).logical_not();
}

}  // namespace

at::Tensor detail::onto_simplex(const at::Tensor& y, const at::Tensor& radius) {
  // The projection of y + c is that of y. This one loses no digits.
  const at::Tensor shifted = y - y.detach().amax(1, /*keepdim=*/true);
  const at::Tensor support = simplex_support(shifted, radius);
  const at::Tensor sum = shifted.masked_fill(support.logical_not(), 0.0).sum(1, /*keepdim=*/true);
  const at::Tensor threshold = (sum - radius) / support.sum(1, /*keepdim=*/true);
  return (shifted - threshold).clamp_min(0.0).masked_fill(support.logical_not(), 0.0);
}

at::Tensor optim::project_simplex(const at::Tensor& y, const RowNumber& radius) {
  detail::check_rows("y", y);
  const at::Tensor r = detail::number_column("radius", radius, y);
  return detail::project_where(r >= 0.0, y,
                               [&](const at::Tensor& rows) { return detail::onto_simplex(rows, r); });
}

}  // namespace stillpoint
