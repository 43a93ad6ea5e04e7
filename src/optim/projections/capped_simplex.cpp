#include "stillpoint/optim/projections/capped_simplex.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <tuple>

#include "optim/projections/arguments.h"

namespace stillpoint {
namespace {

struct CappedParts {
  at::Tensor ones;  // boolean: x = 1
  at::Tensor free;  // 0 < x < 1; all of a row with NaN. The rest is zero.
};

// x = y − threshold on the free part, with the sum k.
at::Tensor capped_threshold(const at::Tensor& y, const at::Tensor& k, const CappedParts& parts) {
  const at::Tensor sum = y.masked_fill(parts.free.logical_not(), 0.0).sum(1, /*keepdim=*/true);
  return (sum + parts.ones.sum(1, /*keepdim=*/true) - k) / parts.free.sum(1, /*keepdim=*/true).clamp_min(1);
}

// As the threshold falls, an entry starts to grow at y and stops at y − 1. The sum is linear in between.
CappedParts capped_parts(const at::Tensor& y, const at::Tensor& k) {
  const at::NoGradGuard no_grad;
  const at::Tensor starts = y.to(at::kDouble);
  const at::Tensor ends = starts - 1.0;
  const auto [sorted, order] = at::sort(at::cat({starts, ends}, 1), 1, /*descending=*/true);
  const at::Tensor change = at::cat({at::ones_like(starts), -at::ones_like(ends)}, 1);
  const at::Tensor slope = at::cumsum(change.gather(1, order), 1);
  const std::int64_t last = sorted.size(1) - 1;
  const at::Tensor growth =
      slope.narrow(1, 0, last) * (sorted.narrow(1, 0, last) - sorted.narrow(1, 1, last));
  const at::Tensor below_k = at::cumsum(growth, 1) < k;
  // The sum reaches k at or below this breakpoint, and above the next one.
  const at::Tensor from = sorted.gather(1, below_k.sum(1, /*keepdim=*/true));
  const at::Tensor at_cap = ends >= from;
  const CappedParts first{at_cap, ((starts < from) | at_cap).logical_not()};
  // An entry that has just reached a bound belongs to it, unless nothing is left to move.
  const at::Tensor threshold = capped_threshold(starts, k, first);
  const at::Tensor capped = ends >= threshold;
  const CappedParts second{capped, ((starts <= threshold) | capped).logical_not()};
  const at::Tensor any = second.free.any(1, /*keepdim=*/true);
  return {at::where(any, second.ones, first.ones), at::where(any, second.free, first.free)};
}

}  // namespace

at::Tensor optim::project_capped_simplex(const at::Tensor& y, const RowNumber& k) {
  detail::check_rows("y", y);
  const at::Tensor sum = detail::number_column("k", k, y);
  const at::Tensor exists = (sum >= 0.0) & (sum <= static_cast<double>(y.size(1)));
  return detail::project_where(exists, y, [&](const at::Tensor& rows) {
    // The projection of y + c is that of y. This one loses no digits.
    const at::Tensor shifted = rows - rows.detach().amax(1, /*keepdim=*/true);
    const CappedParts parts = capped_parts(shifted, sum);
    const at::Tensor free = (shifted - capped_threshold(shifted, sum, parts)).clamp(0.0, 1.0);
    return free.masked_fill(parts.free.logical_not(), 0.0) + parts.ones;
  });
}

}  // namespace stillpoint
