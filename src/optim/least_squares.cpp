#include "stillpoint/optim/least_squares.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <tuple>
#include <utility>

#include "core/check.h"
#include "core/dtype.h"
#include "core/rows/rows.h"
#include "optim/found.h"
#include "optim/least_squares/fit.h"
#include "optim/minimizers/objective.h"
#include "stillpoint/autograd/products.h"
#include "stillpoint/core/packing.h"

namespace stillpoint {
namespace {

const char* fit_advice(Status status) {
  switch (status) {
    case Status::MaxIterations:
      return "allow more iterations, start nearer, or add bounds where an unknown runs away";
    case Status::NonFinite:
      return "start where the residual and its derivative are finite";
    case Status::Stalled:
      return "loosen the tolerance or work in double if the residuals are rounded; fix or bound unknowns "
             "that no residual depends on";
    case Status::TimeLimit:
      return "allow more time, or start nearer";
    case Status::Unbounded:
    case Status::Inaccurate:
    case Status::Converged:
      break;
  }
  return "";
}

// ∇F at x. With the Hessian of Gauss and Newton, a function that equals it there and whose derivative in x is
// that matrix: the Jacobian does not follow x.
at::Tensor gradient_of_cost(const Map& residual, const detail::FitCost& cost, optim::Hessian hessian,
                            const at::Tensor& x) {
  if (hessian == optim::Hessian::Exact) {
    return detail::gradient_of([&](const at::Tensor& z) { return cost.value(residual(z)); }, x);
  }
  const at::Tensor r = residual(x);
  const at::Tensor pulled = cost.weights(r).reshape(r.sizes()) * r;
  // A leaf of its own each time, which a second derivative refuses: it would miss how the Jacobian follows x.
  return vjp(residual, x.detach(), pulled, at::GradMode::is_enabled()).product;
}

// What has to vanish at a solution z = D x, for D > 0.
Condition stationarity_of_fit(const Map& residual, const detail::FitCost& cost,
                              const LeastSquaresOptions& options, const at::Tensor& scale) {
  detail::Bounds bounds{options.lower, options.upper};
  if (bounds.lower.defined()) bounds.lower = bounds.lower * scale;
  if (bounds.upper.defined()) bounds.upper = bounds.upper * scale;
  Condition condition([=, hessian = options.hessian](const at::Tensor& z) {
    const at::Tensor gradient = gradient_of_cost(residual, cost, hessian, z / scale) / scale;
    return bounds.any() ? bounds.residual(z, gradient) : gradient;
  });
  condition = condition.stated(Form::Root, "residual");
  condition.structure = bounds.any() ? Structure::General : Structure::Symmetric;
  return condition;
}

void check_arguments(const at::Tensor& x0, const LeastSquaresOptions& options) {
  detail::check_state("x0", x0);
  TORCH_CHECK(!detail::is_half_precision(x0.scalar_type()), "x0: expected float or double, got ",
              x0.scalar_type());
  TORCH_CHECK(options.max_iterations >= 0, "max_iterations: expected ≥ 0, got ", options.max_iterations);
  TORCH_CHECK(!options.time_limit || *options.time_limit >= 0.0, "time_limit: expected ≥ 0 seconds, got ",
              *options.time_limit);
  detail::Bounds{options.lower, options.upper}.check(x0);
}

struct Fitted {
  at::Tensor x;
  at::Tensor scale;  // of the unknowns, powers of two, for the backward solve
};

Fitted run_fit(detail::FitProblem& problem, const at::Tensor& x0, const LeastSquaresSolver& solver,
               Stats& stats) {
  const at::NoGradGuard no_grad;
  const at::Tensor start = problem.bounds.start(x0);
  if (start.numel() == 0) {
    stats.status.assign(x0.size(0), Status::Converged);
    for (auto* numbers : {&stats.residual, &stats.allowed}) numbers->assign(x0.size(0), 0.0);
    stats.iterations.assign(x0.size(0), 0);
    return {start.clone(), at::ones_like(start)};
  }
  detail::Fit fit(problem, start);
  solver.solve(fit);
  fit.write(stats);
  // A power of two, so that scaling does not round.
  const at::Tensor scale = fit.scale() / std::get<0>(at::frexp(fit.scale()));
  return {fit.result().clone(), scale.view(start.sizes())};
}

}  // namespace

Solution<at::Tensor> least_squares(const Residual& residual, const at::Tensor& x0,
                                   const LeastSquaresOptions& options) {
  TORCH_CHECK(residual.map != nullptr, "residual: expected a function, got an empty one");
  check_arguments(x0, options);
  for (const at::Tensor& input : residual.inputs) {
    TORCH_CHECK(input.defined() && input.dim() > 0 && input.size(0) == x0.size(0),
                "inputs: expected tensors [B, …] with B = ", x0.size(0), " as of x0");
  }
  const Map checked = detail::checked_residual(residual);
  const detail::FitCost cost{options.loss, options.block};
  const at::Tensor one = at::ones({}, x0.options().requires_grad(false));
  LeastSquaresOptions exact = options;
  exact.hessian = optim::Hessian::Exact;
  exact.lower = exact.upper = at::Tensor();
  detail::FitProblem problem{.residual = detail::CheckedResidual(residual),
                             .cost = cost,
                             .gradient = CheckedMap(stationarity_of_fit(checked, cost, exact, one)),
                             .bounds = detail::Bounds{options.lower, options.upper}.detached(),
                             .tolerance = options.tolerance.resolved(x0.scalar_type()),
                             .max_iterations = options.max_iterations,
                             .deadline = options.time_limit ? Deadline(*options.time_limit) : Deadline()};
  Solution<at::Tensor> solution;
  Stats& stats = solution.stats;
  const Fitted fitted = run_fit(problem, x0, options.solver, stats);
  solution.value = fitted.x;
  stats.method = options.solver.name();
  stats.advice = &fit_advice;
  stats.evaluations = problem.residual.evaluations() + problem.gradient.evaluations();
  stats.sample_evaluations =
      problem.residual.sample_evaluations() + problem.gradient.evaluations() * x0.size(0);
  stats.jacobian_products = problem.residual.jacobian_products() + problem.gradient.jacobian_products();
  if (at::GradMode::is_enabled()) {
    const CheckedMap map(stationarity_of_fit(checked, cost, options, fitted.scale));
    const FixedPointSolver found = detail::Found{};
    const at::Tensor z = fitted.x * fitted.scale;
    Problem own{map, z, found, options.on_failure, stats, [&](Map* /*inverse*/) { return at::Tensor(z); }};
    solution.value = options.gradient.differentiate(own) / fitted.scale;
  }
  report_failure(stats, options.on_failure);
  return solution;
}

Solution<std::vector<at::Tensor>> least_squares(const ListResidual& residual,
                                                const std::vector<at::Tensor>& x0,
                                                const LeastSquaresOptions& options) {
  TORCH_CHECK(residual != nullptr, "residual: expected a function, got an empty one");
  const Packing packing(x0);
  const Solution<at::Tensor> packed =
      least_squares([residual, packing](const at::Tensor& x) { return residual(packing.unpack(x)); },
                    packing.pack(x0), options);
  return {packing.unpack(packed.value), packed.stats};
}

}  // namespace stillpoint
