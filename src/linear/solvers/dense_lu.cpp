#include "stillpoint/linear/solvers/dense_lu.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows/rows.h"
#include "linear/half_precision.h"
#include "linear/vectors.h"

namespace stillpoint {
Solution<at::Tensor> DenseLu::solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                    const ResolvedTolerance& tolerance) const {
  if (detail::is_half_precision(b.scalar_type())) return detail::solve_widened(*this, a, b, x0, tolerance);
  const std::int64_t batch = b.size(0);
  const std::int64_t width = detail::row_width(b);
  Solution<at::Tensor> solution{b, {}};
  Stats& stats = solution.stats;
  stats.method = "DenseLu";
  stats.status.assign(batch, Status::Converged);
  stats.iterations.assign(batch, 1);
  if (b.numel() == 0) {
    stats.residual.assign(batch, 0.0);
    return solution;
  }

  const at::Tensor matrix = to_dense(a, b);
  stats.evaluations = width;
  // A matrix that is not finite is replaced by the identity, so that it cannot disturb the others.
  const at::Tensor finite = at::isfinite(matrix).reshape({batch, width * width}).all(1);
  const at::Tensor usable =
      at::where(finite.view({batch, 1, 1}), matrix, at::eye(width, matrix.options()).expand_as(matrix));
  const auto factors = at::linalg_lu_factor_ex(usable);
  const auto solve = [&](const at::Tensor& rhs) {
    const at::Tensor x =
        at::linalg_lu_solve(std::get<0>(factors), std::get<1>(factors), rhs.reshape({batch, width, 1}));
    return detail::finite_or_zero(x).reshape(b.sizes());
  };
  const at::Tensor x = solve(b);
  solution.value = x + solve(detail::residual(a, b, x));
  ++stats.evaluations;
  detail::confirm(a, b, tolerance, solution);

  const std::vector<double> is_finite = detail::to_host(finite);
  for (std::int64_t i = 0; i < batch; ++i) {
    if (is_finite[i] == 0.0) stats.status[i] = Status::NonFinite;
  }
  return solution;
}

}  // namespace stillpoint
