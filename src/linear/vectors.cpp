#include "linear/vectors.h"

#include <ATen/Functions.h>

#include "core/rows.h"

namespace stillpoint::detail {

at::Tensor residual(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x) { return b - a.mv(x); }

void confirm(const LinearOperator& a, const at::Tensor& b, const Tolerance& tolerance,
             Solution<at::Tensor>& solution) {
  Stats& stats = solution.stats;
  stats.residual = row_norms(residual(a, b, solution.value), tolerance.norm);
  ++stats.evaluations;
  const std::vector<double> scale = row_norms(b, tolerance.norm);
  for (std::size_t i = 0; i < scale.size(); ++i) {
    const double allowed = 2.0 * (*tolerance.absolute + *tolerance.relative * scale[i]);
    if (stats.status[i] == Status::Converged && !(stats.residual[i] <= allowed)) {
      stats.status[i] = Status::Inaccurate;
    }
  }
}

at::Tensor row_dot(const at::Tensor& x, const at::Tensor& y) {
  std::vector<int64_t> shape(x.dim(), 1);
  shape[0] = x.size(0);
  return (x * y).reshape({x.size(0), row_width(x)}).sum(1).view(shape);
}

at::Tensor quotient_or_zero(const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor quotient = x / y;
  return at::where(at::isfinite(quotient), quotient, at::zeros_like(quotient));
}

}  // namespace stillpoint::detail
