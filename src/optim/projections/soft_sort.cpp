#include "stillpoint/optim/projections/soft_sort.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cstdint>
#include <tuple>

#include "optim/projections/arguments.h"
#include "optim/projections/blocks.h"

namespace stillpoint {
namespace {

at::Tensor sorting_order(const at::Tensor& theta, bool descending) {
  return std::get<1>(at::sort(theta.detach(), /*stable=*/true, 1, descending));
}

// n, …, 1
at::Tensor places(const at::Tensor& theta) {
  return at::arange(theta.size(1), 0, -1, theta.options()).expand_as(theta);
}

at::Tensor has_soft_order(const at::Tensor& theta, const at::Tensor& eps) {
  return at::isfinite(theta).all(1, /*keepdim=*/true) & (eps > 0.0);
}

}  // namespace

// Blocks are those of the nonincreasing fit to place / eps − theta. It is multiplied by −eps here, and its
// block means are written out in both functions, so that nothing is divided by a small eps but what remains.
at::Tensor optim::soft_sort(const at::Tensor& theta, const RowNumber& eps) {
  detail::check_rows("theta", theta);
  const at::Tensor e = detail::number_column("eps", eps, theta);
  const at::Tensor sorted = theta.gather(1, sorting_order(theta, /*descending=*/true));
  const at::Tensor place = places(theta);
  const detail::Blocks blocks = detail::isotonic_blocks(e.detach().to(at::kDouble) * sorted.detach() - place);
  const at::Tensor soft = (place - blocks.means(place)) / e + blocks.means(sorted);
  return detail::where_exists(has_soft_order(theta, e), soft);
}

at::Tensor optim::soft_rank(const at::Tensor& theta, const RowNumber& eps) {
  detail::check_rows("theta", theta);
  const at::Tensor e = detail::number_column("eps", eps, theta);
  const at::Tensor order = sorting_order(theta, /*descending=*/false);
  const at::Tensor sorted = theta.gather(1, order);
  const at::Tensor place = places(theta);
  const detail::Blocks blocks = detail::isotonic_blocks(e.detach().to(at::kDouble) * place + sorted.detach());
  const at::Tensor soft = (blocks.means(sorted) - sorted) / e + blocks.means(place);
  return detail::where_exists(has_soft_order(theta, e), soft.gather(1, order.argsort(std::int64_t{1})));
}

}  // namespace stillpoint
