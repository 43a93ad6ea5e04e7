#include "linear/vectors.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/rows.h"

namespace stillpoint::detail {

at::Tensor residual(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x) { return b - a.mv(x); }

Start start_from(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0, Stats& stats) {
  if (!x0.defined()) return {at::zeros(b.sizes(), b.options()), b.contiguous()};
  Start start{x0.clone(at::MemoryFormat::Contiguous), {}};
  start.residual = residual(a, b, start.x).contiguous();
  ++stats.evaluations;
  return start;
}

void confirm(const LinearOperator& a, const at::Tensor& b, const Tolerance& tolerance,
             Solution<at::Tensor>& solution) {
  Stats& stats = solution.stats;
  stats.residual = row_norms(residual(a, b, solution.value), tolerance.norm);
  ++stats.evaluations;
  const std::vector<double> scale = row_norms(b, tolerance.norm);
  for (std::size_t i = 0; i < scale.size(); ++i) {
    const double allowed = 2.0 * (*tolerance.absolute + *tolerance.relative * scale[i]);
    if (!std::isfinite(stats.residual[i])) {
      stats.status[i] = Status::NonFinite;
    } else if (stats.status[i] == Status::Converged && stats.residual[i] > allowed) {
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
