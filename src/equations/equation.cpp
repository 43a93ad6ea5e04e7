#include "equations/equation.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/check.h"
#include "equations/running_samples.h"
#include "equations/slopes.h"
#include "stillpoint/core/packing.h"

namespace stillpoint {

at::Tensor FixedPointProblem::solve() const {
  const at::NoGradGuard no_grad;
  solver.solve(solver_map, z0.requires_grad() ? z0.detach() : z0, monitor);
  at::Tensor best = monitor.best();
  while (reopen(best) > 0) {
    solver.solve(solver_map, best, monitor);
    best = monitor.best();
  }
  // The monitor holds it, too. Whoever else does, such as an f that kept what it returned, may write
  // to it.
  const bool shared = best.use_count() > 2 || best.storage().use_count() > 1;
  return shared ? best.clone() : best;
}

std::int64_t FixedPointProblem::reopen(const at::Tensor& z) const {
  if (!monitor.parted()) return 0;
  const at::NoGradGuard no_grad;
  RowNorms whole;
  monitor.norms(z, f.residual(z), whole);
  return monitor.reopen(whole);
}

namespace {

using detail::EquationOptions;
using detail::RunningSamples;

Monitor monitor_for(const at::Tensor& z0, const EquationOptions& options) {
  TORCH_CHECK(options.max_iterations >= 0, "max_iterations: expected ≥ 0, got ", options.max_iterations);
  TORCH_CHECK(options.stall_window.value_or(0) >= 0, "stall_window: expected ≥ 0, got ",
              *options.stall_window);
  TORCH_CHECK(!options.time_limit || *options.time_limit >= 0.0, "time_limit: expected a number ≥ 0, got ",
              *options.time_limit);
  Monitor monitor(options.tolerance.resolved(z0.scalar_type()), options.max_iterations, z0.size(0));
  const bool takes_all_steps = monitor.tolerance().allowed(1.0) == 0.0;
  const std::int64_t patience = takes_all_steps ? 0 : std::max<std::int64_t>(100, options.max_iterations / 2);
  monitor.give_up_stalled(options.stall_window.value_or(patience));
  monitor.judge_by(options.criterion);
  monitor.observe(options.observer);
  if (options.time_limit) monitor.limit_time(*options.time_limit);
  return monitor;
}

// What the solver sees is `solver_map`, which is `map` or goes through `running`.
Solution<at::Tensor> solve(const CheckedMap& map, const CheckedMap& solver_map, const RunningSamples* running,
                           const at::Tensor& z0, const EquationOptions& options, Monitor& monitor) {
  if (map.equation() == Equation::Root && options.criterion == Criterion::Residual) {
    monitor.compare_in_unit_of_z(
        [&solver_map, norm = options.tolerance.norm](const at::Tensor& z, const std::vector<double>& target) {
          return detail::slopes(solver_map, z, norm, target);
        });
  }
  Solution<at::Tensor> solution;
  Stats& stats = solution.stats;
  // Autograd refuses to save a tensor of inference mode, but a copy made outside of it is none.
  const at::Tensor start = z0.is_inference() ? z0.clone() : z0;
  FixedPointProblem problem{map,   start.contiguous(), options.solver, monitor, options.on_failure,
                            stats, solver_map};
  solution.value = at::GradMode::is_enabled() ? options.gradient.differentiate(problem) : problem.solve();
  if (solution.value.is_alias_of(z0)) solution.value = solution.value.clone();

  stats.method = options.solver.name();
  monitor.write(stats);
  stats.evaluations = map.evaluations();
  stats.jacobian_products = map.jacobian_products();
  stats.sample_evaluations = map.evaluations() * z0.size(0);
  if (running != nullptr) {
    stats.evaluations += solver_map.evaluations() + running->checks();
    stats.jacobian_products += solver_map.jacobian_products();
    stats.sample_evaluations += running->sample_evaluations();
  }
  report_failure(stats, options.on_failure);
  return solution;
}

}  // namespace

Solution<at::Tensor> detail::solve_equation(const Map& f, const char* name, Equation equation,
                                            const at::Tensor& z0, const EquationOptions& options,
                                            const MonotoneMap* monotone) {
  TORCH_CHECK(f != nullptr, name, ": expected a map, got an empty function");
  check_state("z0", z0);
  Monitor monitor = monitor_for(z0, options);
  const CheckedMap map(f, name, equation, monotone);
  return solve(map, map, nullptr, z0, options, monitor);
}

Solution<at::Tensor> detail::solve_equation(const MapWithInputs& f, const std::vector<at::Tensor>& inputs,
                                            const char* name, Equation equation, const at::Tensor& z0,
                                            const EquationOptions& options) {
  TORCH_CHECK(f != nullptr, name, ": expected a map, got an empty function");
  check_state("z0", z0);
  for (const at::Tensor& input : inputs) {
    TORCH_CHECK(input.defined() && input.dim() > 0 && input.size(0) == z0.size(0),
                "inputs: expected tensors [B, …] with B = ", z0.size(0), " as in z0, got ",
                input.defined() ? c10::str("shape ", input.sizes()) : std::string("an undefined one"));
  }
  Monitor monitor = monitor_for(z0, options);
  const CheckedMap map([f, inputs](const at::Tensor& z) { return f(z, inputs); }, name, equation);
  RunningSamples running({f, inputs, name, equation}, monitor);
  const CheckedMap running_map([&](const at::Tensor& z) { return running(z); }, name, equation);
  return solve(map, running_map, &running, z0, options, monitor);
}

Solution<std::vector<at::Tensor>> detail::solve_equation(const TupleMap& f, const char* name,
                                                         Equation equation, const std::vector<at::Tensor>& z0,
                                                         const EquationOptions& options) {
  TORCH_CHECK(f != nullptr, name, ": expected a map, got an empty function");
  const Packing packing(z0);
  Solution<at::Tensor> packed = solve_equation(packing.pack(f), name, equation, packing.pack(z0), options);
  return {packing.unpack(packed.value), std::move(packed.stats)};
}

Solution<std::vector<at::Tensor>> detail::solve_equation(const TupleMapWithInputs& f,
                                                         const std::vector<at::Tensor>& inputs,
                                                         const char* name, Equation equation,
                                                         const std::vector<at::Tensor>& z0,
                                                         const EquationOptions& options) {
  TORCH_CHECK(f != nullptr, name, ": expected a map, got an empty function");
  const Packing packing(z0);
  Solution<at::Tensor> packed =
      solve_equation(packing.pack(f), inputs, name, equation, packing.pack(z0), options);
  return {packing.unpack(packed.value), std::move(packed.stats)};
}

}  // namespace stillpoint
