#include "stillpoint/optim/projections/total_variation.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <limits>
#include <utility>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "optim/projections/arguments.h"
#include "optim/projections/fused_blocks.h"
#include "optim/projections/grid_blocks.h"

namespace stillpoint::optim {

namespace {

// The fit of this form to rows y.
at::Tensor fit_of(const detail::FusedBlocks& form, const at::Tensor& y, const at::Tensor& weight) {
  const at::Tensor exists = at::isfinite(y).all(1, /*keepdim=*/true) & (weight >= 0.0);
  // An infinite weight pulls nothing, and infinity times zero would be NaN.
  const at::Tensor finite = weight.masked_fill(weight == std::numeric_limits<double>::infinity(), 0.0);
  return detail::where_exists(exists, form.blocks.means(y) + finite * form.pull);
}

}  // namespace

BlockFit total_variation(const at::Tensor& y, const RowNumber& lambda) {
  detail::check_rows("y", y);
  const at::Tensor weight = detail::number_column("lambda", lambda, y);
  detail::FusedBlocks form = detail::fused_blocks(y, weight);
  return {fit_of(form, y, weight), std::move(form.weak)};
}

BlockFit total_variation_2d(const at::Tensor& y, const RowNumber& lambda) {
  detail::check_rows("y", y, 3);
  const at::Tensor weight = detail::number_column("lambda", lambda, y);
  detail::FusedBlocks form = detail::grid_blocks(y, weight);
  return {fit_of(form, y.flatten(1), weight).view_as(y), std::move(form.weak)};
}

BlockFit fused_lasso(const at::Tensor& y, const RowNumber& lambda, const RowNumber& sparsity) {
  BlockFit fit = total_variation(y, lambda);
  const at::Tensor least = detail::number_column("sparsity", sparsity, y);
  const at::Tensor x = fit.value;
  const at::Tensor zero = x.detach().abs() <= least;
  const at::Tensor moved = (x - x.detach().sign() * least).masked_fill(zero, 0.0);
  const double rounding = 4.0 * static_cast<double>(y.size(1)) * detail::machine_epsilon(y.scalar_type());
  const at::Tensor margin = rounding * y.detach().abs().amax(1, /*keepdim=*/true);
  const auto at_kink = detail::to_host(((x.detach().abs() - least).abs() <= margin).any(1));
  for (std::size_t b = 0; b < at_kink.size(); ++b) fit.weak[b] |= at_kink[b] != 0.0 ? 1 : 0;
  fit.value = detail::where_exists(least >= 0.0, moved);
  return fit;
}

}  // namespace stillpoint::optim
