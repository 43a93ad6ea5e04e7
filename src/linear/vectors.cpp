#include "linear/vectors.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

#include "core/rows/rows.h"

namespace stillpoint::detail {

Start start_from(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0, Stats& stats) {
  if (!x0.defined()) return {at::zeros(b.sizes(), b.options()), b.contiguous()};
  Start start{x0.clone(at::MemoryFormat::Contiguous), {}};
  start.residual = residual(a, b, start.x).contiguous();
  ++stats.evaluations;
  return start;
}

std::vector<double> power_units(std::vector<double> sizes) {
  for (double& size : sizes) {
    size = size > 0.0 && std::isfinite(size) ? std::ldexp(1.0, std::ilogb(size)) : 1.0;
  }
  return sizes;
}

std::vector<double> UnitSystem::norms(const at::Tensor& t, Norm norm) const {
  std::vector<double> result = row_norms(t, norm);
  for (std::size_t i = 0; i < result.size(); ++i) result[i] *= unit[i];
  return result;
}

std::vector<double> UnitSystem::right_side_norms(Norm norm) const {
  return zero_where_not_finite(norms(b, norm));
}

namespace {

Solution<at::Tensor> run_in_units(const at::Tensor& b, const at::Tensor& x0, std::int64_t max_iterations,
                                  const Recurrence& run) {
  UnitSystem system{b, x0, power_units(row_norms(b, Norm::Maximum))};
  const at::Tensor unit = to_column(system.unit, b);
  system.b = b / unit;
  if (x0.defined()) system.x0 = x0 / unit;
  Solution<at::Tensor> solution = run(system, max_iterations);
  solution.value = solution.value * unit;
  return solution;
}

}  // namespace

Solution<at::Tensor> run_confirmed(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                   const ResolvedTolerance& tolerance, std::int64_t max_iterations,
                                   const Recurrence& run) {
  Solution<at::Tensor> solution = run_in_units(b, x0, max_iterations, run);
  Stats& stats = solution.stats;
  const std::size_t batch = stats.status.size();
  while (true) {
    confirm(a, b, tolerance, solution);
    Mask drifted(batch);
    std::int64_t left = max_iterations;
    for (std::size_t i = 0; i < batch; ++i) {
      drifted[i] = stats.status[i] == Status::Inaccurate;
      if (drifted[i]) left = std::min(left, max_iterations - stats.iterations[i]);
    }
    if (stats.count(Status::Inaccurate) == 0 || left <= 0) return solution;

    const at::Tensor zero = at::zeros_like(b);
    const Solution<at::Tensor> again =
        run_in_units(select_rows(drifted, b, zero), select_rows(drifted, solution.value, zero), left, run);
    solution.value = select_rows(drifted, again.value, solution.value);
    stats.evaluations += again.stats.evaluations;
    for (std::size_t i = 0; i < batch; ++i) {
      if (!drifted[i]) continue;
      stats.status[i] = again.stats.status[i];
      stats.iterations[i] += again.stats.iterations[i];
    }
  }
}

std::int64_t stall_window(const at::Tensor& b, std::int64_t max_iterations) {
  constexpr std::int64_t least = 30;
  return std::max({max_iterations / 10, 2 * row_width(b), least});
}

}  // namespace stillpoint::detail
