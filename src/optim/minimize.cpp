#include "stillpoint/optim/minimize.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/dtype.h"
#include "core/live_rows.h"
#include "equations/slopes.h"
#include "optim/found.h"
#include "optim/minimizers/descent.h"
#include "optim/minimizers/direct_search.h"
#include "stillpoint/core/packing.h"

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
      return "allow more time, or start nearer to the minimum";
    case Status::Inaccurate:
    case Status::Converged:
      break;
  }
  return "";
}

// ∇f(x) = 0, or with bounds x = clamp(x − ∇f(x)).
Condition stationarity(const detail::Function& f, const detail::Bounds& bounds, Structure structure) {
  Condition condition([f, bounds](const at::Tensor& x) {
    const at::Tensor gradient = detail::gradient_of(f, x);
    return bounds.any() ? bounds.residual(x, gradient) : gradient;
  });
  condition = condition.stated(Form::Root, "f");
  condition.structure = bounds.any() ? Structure::General : structure;
  return condition;
}

void check_arguments(const Objective& f, const at::Tensor& x0, const MinimizeOptions& options) {
  TORCH_CHECK(f.function != nullptr, "f: expected a function, got an empty one");
  detail::check_state("x0", x0);
  TORCH_CHECK(!detail::is_half_precision(x0.scalar_type()), "x0: expected float or double, got ",
              x0.scalar_type());
  for (const at::Tensor& input : f.inputs) {
    TORCH_CHECK(input.defined() && input.dim() > 0 && input.size(0) == x0.size(0),
                "inputs: expected tensors [B, …] with B = ", x0.size(0), " as in x0, got ",
                input.defined() ? c10::str("shape ", input.sizes()) : std::string("an undefined one"));
  }
  TORCH_CHECK(options.max_iterations >= 0, "max_iterations: expected ≥ 0, got ", options.max_iterations);
  TORCH_CHECK(!options.time_limit || *options.time_limit >= 0.0, "time_limit: expected a number ≥ 0, got ",
              *options.time_limit);
  detail::Bounds{options.lower, options.upper}.check(x0);
}

// What values alone can tell of x: half of its digits.
Tolerance of_values(Tolerance tolerance, at::ScalarType dtype) {
  const bool is_double = dtype == at::kDouble;
  if (!tolerance.relative) tolerance.relative = is_double ? 1e-6 : 1e-2;
  if (!tolerance.absolute) tolerance.absolute = is_double ? 1e-8 : 1e-3;
  return tolerance;
}

// One call of `minimize`: how x is found, and what was done for it.
class Minimization {
 public:
  Minimization(const Objective& f, const at::Tensor& x0, const MinimizeOptions& options)
      : f_(f), x0_(x0), options_(options), bounds_{options.lower, options.upper}, running_(x0.size(0), true) {
    if (f.divisible != nullptr) {
      live_.emplace(Condition(f.divisible, f.inputs).stated(Form::Root, "f"), running_);
    }
  }

  // Leaves the steps in `trail`, unless that is null.
  at::Tensor find(detail::DescentTrail* trail) {
    const at::NoGradGuard no_grad;
    running_ = Mask(x0_.size(0), true);
    stats_.method = options_.solver.name();
    stats_.advice = &minimize_advice;
    at::Tensor x = options_.solver.descends() ? descend(trail) : search();
    if (live_) {
      stats_.evaluations += live_->checks();
      stats_.sample_evaluations = live_->sample_evaluations();
    } else {
      stats_.sample_evaluations = stats_.evaluations * x0_.size(0);
    }
    return x;
  }

  Stats& stats() { return stats_; }
  // As the solver sees it.
  detail::Function live_function() {
    if (!live_) return f_.function;
    return [this](const at::Tensor& x) { return live_->values(x); };
  }

 private:
  at::Tensor descend(detail::DescentTrail* trail) {
    const detail::Bounds fixed = bounds_.detached();
    const detail::Function f = live_function();
    detail::DescentProblem problem{.objective = detail::CheckedObjective(f),
                                   .gradient = CheckedMap(stationarity(f, {}, Structure::Symmetric)),
                                   .condition = CheckedMap(stationarity(f, fixed, options_.structure)),
                                   .bounds = fixed,
                                   .running = running_};
    const ResolvedTolerance tolerance = options_.tolerance.resolved(x0_.scalar_type());
    const auto measure = [&](const at::Tensor& x, const std::vector<double>& target) {
      return detail::slopes(problem.condition, x, tolerance.norm, target);
    };
    detail::Descent descent(problem, fixed.start(x0_), StopTest(tolerance, Slopes(measure, x0_.size(0))),
                            options_.max_iterations);
    descent.observe(options_.observer);
    descent.keep_steps(trail, bounds_);
    if (options_.time_limit) descent.stop_at(Deadline(*options_.time_limit));
    options_.solver.minimize(descent);
    descent.write(stats_);
    stats_.evaluations =
        problem.objective.evaluations() + problem.gradient.evaluations() + problem.condition.evaluations();
    stats_.jacobian_products = problem.gradient.jacobian_products() + problem.condition.jacobian_products();
    return descent.result().clone();
  }

  at::Tensor search() {
    const detail::Bounds fixed = bounds_.detached();
    const auto values = [f = live_function()](const at::Tensor& x) { return detail::values_of(f, x); };
    const ResolvedTolerance tolerance =
        of_values(options_.tolerance, x0_.scalar_type()).resolved(x0_.scalar_type());
    detail::DirectSearch search(values, fixed, fixed.start(x0_), tolerance, options_.max_iterations,
                                running_);
    search.observe(options_.observer);
    if (options_.time_limit) search.stop_at(Deadline(*options_.time_limit));
    options_.solver.minimize(search);
    search.write(stats_);
    stats_.evaluations = search.evaluations();
    return search.result().clone();
  }

  const Objective& f_;
  const at::Tensor& x0_;
  const MinimizeOptions& options_;
  detail::Bounds bounds_;
  Mask running_;
  std::optional<detail::LiveRows> live_;
  Stats stats_;
};

// Steps that were taken, for rules that record them.
NextStep retraced(const std::shared_ptr<detail::DescentTrail>& trail, const detail::Function& f) {
  return [trail, f, k = std::make_shared<std::size_t>(0)](const State& state) -> std::optional<Step> {
    if (*k == trail->size()) return {};
    const detail::DescentStep& taken = (*trail)[(*k)++];
    const auto again = [f, step = taken.again](const State& from) {
      const at::Tensor x = detail::as_leaf(from[0]);
      return State{step(x, detail::gradient_of(f, x))};
    };
    return Step{.next = again(state), .again = again, .moved = taken.moved};
  };
}

// x ↦ x − ∇f(x) / L within the bounds, with the largest curvature L of each sample at the minimum.
Map gradient_step(const detail::Function& f, const detail::Bounds& bounds, const at::Tensor& minimum) {
  const at::Tensor largest = detail::largest_curvature(f, minimum);
  return [=](const at::Tensor& x) { return bounds.project(x - detail::gradient_of(f, x) / largest); };
}

}  // namespace

Objective::Objective(MapWithInputs f, std::vector<at::Tensor> f_inputs)
    : divisible(std::move(f)), inputs(std::move(f_inputs)) {
  if (divisible == nullptr) return;
  function = [f = divisible, given = inputs](const at::Tensor& x) { return f(x, given); };
}

Solution<at::Tensor> minimize(const Objective& f, const at::Tensor& x0, const MinimizeOptions& options) {
  check_arguments(f, x0, options);
  const detail::Bounds bounds{options.lower, options.upper};
  Minimization minimization(f, x0, options);
  Solution<at::Tensor> solution;
  if (at::GradMode::is_enabled()) {
    const CheckedMap map(stationarity(f.function, bounds, options.structure));
    const FixedPointSolver found = detail::Found{};
    const auto trail = std::make_shared<detail::DescentTrail>();
    Problem problem{map, x0, found, options.on_failure, minimization.stats(), [&](Map* /*inverse*/) {
                      return minimization.find(nullptr);
                    }};
    problem.contraction = [&](const at::Tensor& x) { return gradient_step(f.function, bounds, x); };
    if (options.solver.offers_steps()) {
      problem.start = [&] {
        minimization.find(trail.get());
        return State{bounds.project(x0)};
      };
      problem.next = retraced(trail, f.function);
      problem.settle = [](const at::Tensor& /*x*/) {};
    }
    solution.value = options.gradient.differentiate(problem);
  } else {
    solution.value = minimization.find(nullptr);
  }
  solution.stats = std::move(minimization.stats());
  report_failure(solution.stats, options.on_failure);
  return solution;
}

Solution<std::vector<at::Tensor>> minimize(const TupleObjective& f, const std::vector<at::Tensor>& x0,
                                           const MinimizeOptions& options) {
  TORCH_CHECK(f.function != nullptr || f.divisible != nullptr, "f: expected a function, got an empty one");
  TORCH_CHECK(!options.lower.defined() && !options.upper.defined(),
              "lower, upper: expected none beside a state of several tensors");
  const Packing packing(x0);
  Objective packed([f, packing](const at::Tensor& x) { return f.function(packing.unpack(x)); });
  if (f.divisible != nullptr) {
    packed = Objective(
        [f, packing](const at::Tensor& x, const std::vector<at::Tensor>& inputs) {
          return f.divisible(packing.unpack(x), inputs);
        },
        f.inputs);
  }
  Solution<at::Tensor> solution = minimize(packed, packing.pack(x0), options);
  return {packing.unpack(solution.value), std::move(solution.stats)};
}

}  // namespace stillpoint
