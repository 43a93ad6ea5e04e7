#include "stillpoint/root/fixed_point.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include "core/check.h"
#include "stillpoint/core/packing.h"

namespace stillpoint {

at::Tensor FixedPointProblem::solve() const {
  const at::NoGradGuard no_grad;
  solver.solve(f, z0.detach(), monitor);
  return monitor.best();
}

Solution<at::Tensor> fixed_point(const Map& f, const at::Tensor& z0, const FixedPointOptions& options) {
  TORCH_CHECK(f != nullptr, "f: expected a map, got an empty function");
  detail::check_state("z0", z0);
  TORCH_CHECK(options.max_iterations >= 0, "max_iterations: expected ≥ 0, got ", options.max_iterations);

  Solution<at::Tensor> solution;
  Stats& stats = solution.stats;
  const CheckedMap map(f, "f");
  Monitor monitor(options.tolerance.resolved(z0.scalar_type()), options.max_iterations, z0.size(0));
  FixedPointProblem problem{map, z0.contiguous(), options.solver, monitor, options.on_failure, stats};
  solution.value = at::GradMode::is_enabled() ? options.gradient.differentiate(problem) : problem.solve();

  monitor.write(stats);
  stats.method = options.solver.name();
  stats.evaluations = map.evaluations();
  stats.jacobian_products = map.jacobian_products();
  report_failure(stats, options.on_failure);
  return solution;
}

Solution<std::vector<at::Tensor>> fixed_point(const TupleMap& f, const std::vector<at::Tensor>& z0,
                                              const FixedPointOptions& options) {
  TORCH_CHECK(f != nullptr, "f: expected a map, got an empty function");
  const Packing packing(z0);
  Solution<at::Tensor> packed = fixed_point(packing.pack(f), packing.pack(z0), options);
  return {packing.unpack(packed.value), std::move(packed.stats)};
}

}  // namespace stillpoint
