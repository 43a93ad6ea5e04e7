#include "stillpoint/optim/projections/sinkhorn.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/dtype.h"
#include "optim/projections/arguments.h"

namespace stillpoint {
namespace {

// log sums that a plan with these potentials, in units of eps, misses: log a − log Σⱼ exp(g − cost).
at::Tensor scaled_row_potential(const at::Tensor& g, const at::Tensor& cost, const at::Tensor& log_a) {
  return log_a - at::logsumexp(g.unsqueeze(1) - cost, 2);
}

// Sinkhorn's step from g to g. That a constant may be added to g says nothing of P: the mean of g is zero, so
// that the fixed point is one.
at::Tensor sinkhorn_step(const at::Tensor& g, const std::vector<at::Tensor>& inputs) {
  const at::Tensor f = scaled_row_potential(g, inputs[0], inputs[1]);
  const at::Tensor next = inputs[2] - at::logsumexp(f.unsqueeze(2) - inputs[0], 1);
  return next - next.mean(1, /*keepdim=*/true);
}

// The number of samples, by what has a batch.
std::int64_t transport_batch(const at::Tensor& cost, const at::Tensor& a, const at::Tensor& b) {
  detail::check_state("cost", cost);
  TORCH_CHECK(cost.dim() == 2 || cost.dim() == 3, "cost: expected [B, n, m] or [n, m], got shape ",
              cost.sizes());
  TORCH_CHECK(a.defined() && b.defined(), "a, b: expected marginals, got an undefined tensor");
  if (cost.dim() == 3) return cost.size(0);
  TORCH_CHECK(a.dim() == 2 || b.dim() == 2, "cost: expected a batch [B, n, m], or one in a or b; got shapes ",
              cost.sizes(), ", ", a.sizes(), " and ", b.sizes());
  return a.dim() == 2 ? a.size(0) : b.size(0);
}

// Whether each sample has finite costs, positive marginals of one sum, and eps > 0: `[B, 1]`.
at::Tensor can_be_transported(const at::Tensor& cost, const at::Tensor& a, const at::Tensor& b,
                              const at::Tensor& eps) {
  const at::NoGradGuard no_grad;
  const at::Tensor sum = a.sum(1, /*keepdim=*/true);
  const double rounding = std::sqrt(detail::machine_epsilon(a.scalar_type()));
  const at::Tensor balanced = (sum - b.sum(1, /*keepdim=*/true)).abs() <= rounding * sum;
  const at::Tensor finite = at::isfinite(cost).flatten(1).all(1, /*keepdim=*/true);
  return finite & balanced & (a > 0.0).all(1, /*keepdim=*/true) & (b > 0.0).all(1, /*keepdim=*/true) &
         (eps > 0.0);
}

}  // namespace

optim::Transport optim::sinkhorn(const at::Tensor& cost, const at::Tensor& a, const at::Tensor& b,
                                 const RowNumber& eps, const FixedPointOptions& options) {
  const std::int64_t batch = transport_batch(cost, a, b);
  const std::int64_t n = cost.size(-2);
  const std::int64_t m = cost.size(-1);
  const at::Tensor like = at::empty({}, cost.options()).expand({batch, n, m});
  detail::check_rows("cost", like, 3);
  const at::Tensor e = detail::number_column("eps", eps, like);
  const at::Tensor rows = detail::for_each_row("a", a, {n}, like);
  const at::Tensor columns = detail::for_each_row("b", b, {m}, like);
  const at::Tensor costs = detail::for_each_row("cost", cost, {n, m}, like);
  const at::Tensor exists = can_be_transported(costs, rows, columns, e);
  const at::Tensor scaled = costs / e.unsqueeze(2);
  const at::Tensor log_a = detail::where_exists(exists, rows).log();
  const at::Tensor log_b = columns.log();

  Solution<at::Tensor> solution =
      fixed_point({sinkhorn_step, {scaled, log_a, log_b}}, at::zeros({batch, m}, cost.options()), options);
  const at::Tensor g = detail::where_exists(exists, solution.value);
  const at::Tensor f = scaled_row_potential(g, scaled, log_a);
  return {at::exp(f.unsqueeze(2) + g.unsqueeze(1) - scaled), e * f, e * g, std::move(solution.stats)};
}

}  // namespace stillpoint
