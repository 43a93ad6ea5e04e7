#include "stillpoint/optim/projections/isotonic_regression.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "optim/projections/arguments.h"
#include "optim/projections/blocks.h"

namespace stillpoint::optim {

at::Tensor isotonic_regression(const at::Tensor& y, const at::Tensor& weights) {
  detail::check_rows("y", y);
  const at::Tensor w =
      weights.defined() ? detail::for_each_row("weights", weights, {y.size(1)}, y) : at::ones_like(y);
  const at::Tensor usable = at::isfinite(y) & at::isfinite(w) & (w > 0.0);
  return detail::project_where(usable.all(1, /*keepdim=*/true), y, [&](const at::Tensor& rows) {
    return detail::isotonic_blocks(rows, w).means(rows, w);
  });
}

}  // namespace stillpoint::optim
