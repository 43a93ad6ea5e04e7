#include "stillpoint/optim/optimum.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <utility>

#include "core/check.h"
#include "equations/slopes.h"
#include "optim/found.h"
#include "stillpoint/core/monitor.h"
#include "stillpoint/core/packing.h"

namespace stillpoint {
namespace {

at::Tensor run(const Map& solver, const at::Tensor& x0) {
  const at::NoGradGuard no_grad;
  // A copy: the solver may go on to use its memory.
  return detail::evaluate(solver, "solver", x0.detach(), "x0").detach().contiguous().clone();
}

// Holds x to the tolerance.
Stats judged(const CheckedMap& optimality, const at::Tensor& x, const ResolvedTolerance& tolerance) {
  const at::NoGradGuard no_grad;
  const auto measure = [&](const at::Tensor& at, const std::vector<double>& target) {
    return detail::slopes(optimality, at, tolerance.norm, target);
  };
  Monitor monitor(StopTest(tolerance, Slopes(measure, x.size(0))), /*max_iterations=*/0, x.size(0));
  RowNorms norms;
  monitor.norms(x, optimality.residual(x), norms);
  monitor.update(x, norms);
  Stats stats;
  monitor.write(stats);
  stats.method = "your solver";
  stats.advice = [](Status) { return "let the solver go on, or loosen the tolerance to what it reaches"; };
  for (std::size_t b = 0; b < stats.status.size(); ++b) {
    if (stats.status[b] == Status::Converged) continue;
    stats.status[b] = norms.finite(b) ? Status::Inaccurate : Status::NonFinite;
  }
  return stats;
}

}  // namespace

Solution<at::Tensor> optimum(const Map& solver, const Condition& optimality, const at::Tensor& x0,
                             const OptimumOptions& options) {
  TORCH_CHECK(solver != nullptr, "solver: expected a function, got an empty one");
  TORCH_CHECK(optimality.map != nullptr, "optimality: expected a function, got an empty one");
  detail::check_state("x0", x0);
  Condition condition = optimality.stated(Form::Root, "optimality");
  if (options.structure != Structure::General) condition.structure = options.structure;
  const CheckedMap map(std::move(condition));
  at::Tensor x = run(solver, x0);
  Solution<at::Tensor> solution{x, judged(map, x, options.tolerance.resolved(x.scalar_type()))};
  if (at::GradMode::is_enabled()) {
    const FixedPointSolver own = detail::Found{};
    Problem problem{map, x0, own, options.on_failure, solution.stats, [&](Map* /*inverse*/) { return x; }};
    solution.value = options.gradient.differentiate(problem);
  }
  solution.stats.evaluations = map.evaluations();
  solution.stats.sample_evaluations = map.evaluations() * x.size(0);
  report_failure(solution.stats, options.on_failure);
  return solution;
}

Solution<std::vector<at::Tensor>> optimum(const TupleMap& solver, const TupleCondition& optimality,
                                          const std::vector<at::Tensor>& x0, const OptimumOptions& options) {
  TORCH_CHECK(solver != nullptr, "solver: expected a function, got an empty one");
  const bool has_map = optimality.map != nullptr || optimality.divisible != nullptr;
  TORCH_CHECK(has_map, "optimality: expected a function, got an empty one");
  const Packing packing(x0);
  const Condition packed = optimality.divisible != nullptr
                               ? Condition(packing.pack(optimality.divisible), optimality.inputs)
                               : Condition(packing.pack(optimality.map));
  Solution<at::Tensor> solution = optimum(packing.pack(solver), packed, packing.pack(x0), options);
  return {packing.unpack(solution.value), std::move(solution.stats)};
}

}  // namespace stillpoint
