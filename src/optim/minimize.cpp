#include "stillpoint/optim/minimize.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <utility>

#include "core/check.h"
#include "core/dtype.h"
#include "equations/slopes.h"
#include "optim/minimizers/descent.h"

namespace stillpoint {
namespace {

const char* minimize_advice(Status status) {
  switch (status) {
    case Status::MaxIterations:
      return "allow more iterations, scale the unknowns alike, or choose optim::Newton";
    case Status::NonFinite:
      return "start where f and its gradient are finite";
    case Status::Stalled:
      return "f is not smooth there, or is rounded: loosen the tolerance, or work in double";
    case Status::Unbounded:
      return "f has no minimum that way: add bounds or a penalty";
    case Status::TimeLimit:
    case Status::Inaccurate:
    case Status::Converged:
      break;
  }
  return "";
}

// Stands for the minimizer where a gradient rule asks what found x.
struct FoundByDescent {
  void solve(const CheckedMap& /*f*/, const at::Tensor& /*z0*/, Monitor& /*monitor*/) const {}
};

// ∇f(x) = 0, or with bounds x = clamp(x − ∇f(x)).
Condition stationarity(const Objective& f, const detail::Bounds& bounds, Structure structure) {
  Condition condition([f, bounds](const at::Tensor& x) {
    const at::Tensor gradient = detail::gradient_of(f, x);
    return bounds.any() ? bounds.residual(x, gradient) : gradient;
  });
  condition = condition.stated(Form::Root, "f");
  condition.structure = bounds.any() ? Structure::General : structure;
  return condition;
}

// Without a graph, in memory of its own.
at::Tensor start_within(const detail::Bounds& bounds, const at::Tensor& x0) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = x0.is_inference() ? x0.clone() : x0.detach();
  return bounds.project(x).contiguous();
}

}  // namespace

Solution<at::Tensor> minimize(const Objective& f, const at::Tensor& x0, const MinimizeOptions& options) {
  TORCH_CHECK(f != nullptr, "f: expected a function, got an empty one");
  detail::check_state("x0", x0);
  TORCH_CHECK(!detail::is_half_precision(x0.scalar_type()), "x0: expected float or double, got ",
              x0.scalar_type());
  TORCH_CHECK(options.max_iterations >= 0, "max_iterations: expected ≥ 0, got ", options.max_iterations);
  const detail::Bounds bounds{options.lower, options.upper};
  bounds.check(x0);
  const ResolvedTolerance tolerance = options.tolerance.resolved(x0.scalar_type());

  const CheckedMap map(stationarity(f, bounds, options.structure));
  const detail::Bounds fixed = bounds.detached();
  detail::DescentProblem problem{.objective = detail::CheckedObjective(f),
                                 .gradient = CheckedMap(stationarity(f, {}, Structure::Symmetric)),
                                 .condition = CheckedMap(stationarity(f, fixed, options.structure)),
                                 .bounds = fixed};
  const auto measure = [&](const at::Tensor& x, const std::vector<double>& target) {
    return detail::slopes(problem.condition, x, tolerance.norm, target);
  };
  Solution<at::Tensor> solution;
  Stats& stats = solution.stats;
  {
    const at::NoGradGuard no_grad;
    detail::Descent descent(problem, start_within(fixed, x0),
                            StopTest(tolerance, Slopes(measure, x0.size(0))), options.max_iterations);
    options.solver.minimize(descent);
    solution.value = descent.result().clone();
    descent.write(stats);
  }
  stats.method = options.solver.name();
  stats.advice = &minimize_advice;
  stats.evaluations =
      problem.objective.evaluations() + problem.gradient.evaluations() + problem.condition.evaluations();
  stats.sample_evaluations = stats.evaluations * x0.size(0);
  stats.jacobian_products = problem.gradient.jacobian_products() + problem.condition.jacobian_products();
  if (at::GradMode::is_enabled()) {
    const FixedPointSolver found = FoundByDescent{};
    const at::Tensor x = solution.value;
    Problem own{map, x, found, options.on_failure, stats, [&](Map* /*inverse*/) { return at::Tensor(x); }};
    solution.value = options.gradient.differentiate(own);
  }
  report_failure(stats, options.on_failure);
  return solution;
}

}  // namespace stillpoint
