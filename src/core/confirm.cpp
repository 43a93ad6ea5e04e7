#include "core/confirm.h"

#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/rows/rows.h"

namespace stillpoint::detail {

at::Tensor residual(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x) { return b - a.mv(x); }

std::vector<double> zero_where_not_finite(std::vector<double> numbers) {
  for (double& number : numbers) {
    if (!std::isfinite(number)) number = 0.0;
  }
  return numbers;
}

std::vector<double> right_side_norms(const at::Tensor& b, Norm norm) {
  return zero_where_not_finite(row_norms(b, norm));
}

void confirm(const LinearOperator& a, const at::Tensor& b, const ResolvedTolerance& tolerance,
             Solution<at::Tensor>& solution) {
  ++solution.stats.evaluations;
  confirm(residual(a, b, solution.value), b, tolerance, solution.stats);
}

void confirm(const at::Tensor& residual, const at::Tensor& b, const ResolvedTolerance& tolerance,
             Stats& stats) {
  stats.residual = row_norms(residual, tolerance.norm);
  const std::vector<double> scale = right_side_norms(b, tolerance.norm);
  for (std::size_t i = 0; i < scale.size(); ++i) {
    const double allowed = 2.0 * tolerance.allowed(scale[i]);
    if (!std::isfinite(stats.residual[i])) {
      stats.status[i] = Status::NonFinite;
    } else if (stats.status[i] == Status::Converged && stats.residual[i] > allowed) {
      stats.status[i] = Status::Inaccurate;
    }
  }
}

}  // namespace stillpoint::detail
