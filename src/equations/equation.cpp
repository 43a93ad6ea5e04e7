#include "equations/equation.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/live_rows.h"
#include "core/rows/rows.h"
#include "equations/slopes.h"
#include "stillpoint/core/packing.h"

namespace stillpoint::detail {
namespace {

void check_condition(const Condition& condition, const at::Tensor& z0) {
  TORCH_CHECK(condition.map != nullptr, condition.name, ": expected a map, got an empty function");
  check_state("z0", z0);
  for (const at::Tensor& input : condition.inputs) {
    TORCH_CHECK(input.defined() && input.dim() > 0 && input.size(0) == z0.size(0),
                "inputs: expected tensors [B, …] with B = ", z0.size(0), " as in z0, got ",
                input.defined() ? c10::str("shape ", input.sizes()) : std::string("an undefined one"));
  }
}

// `measure` serves a root, whose residual is compared in the unit of z.
Monitor monitor_for(const at::Tensor& z0, Form form, const EquationOptions& options,
                    Slopes::Measure measure) {
  TORCH_CHECK(options.max_iterations >= 0, "max_iterations: expected ≥ 0, got ", options.max_iterations);
  TORCH_CHECK(options.stall_window.value_or(0) >= 0, "stall_window: expected ≥ 0, got ",
              *options.stall_window);
  TORCH_CHECK(!options.time_limit || *options.time_limit >= 0.0, "time_limit: expected a number ≥ 0, got ",
              *options.time_limit);
  const ResolvedTolerance tolerance = options.tolerance.resolved(z0.scalar_type());
  const bool takes_slopes = form == Form::Root && options.criterion == Criterion::Residual;
  StopTest test = takes_slopes ? StopTest(tolerance, Slopes(std::move(measure), z0.size(0)))
                               : StopTest(tolerance, options.criterion);
  Monitor monitor(std::move(test), options.max_iterations, z0.size(0));
  const bool takes_all_steps = tolerance.allowed(1.0) == 0.0;
  const std::int64_t patience = takes_all_steps ? 0 : std::max<std::int64_t>(100, options.max_iterations / 2);
  monitor.give_up_stalled(options.stall_window.value_or(patience));
  monitor.observe(options.observer);
  if (options.time_limit) monitor.stop_at(Deadline(*options.time_limit));
  return monitor;
}

const char* advice(Status status) {
  switch (status) {
    case Status::MaxIterations:
      return "allow more iterations, loosen the tolerance, or choose a stronger solver (Anderson, Newton, "
             "Auto)";
    case Status::NonFinite:
      return "look for NaN or infinity in these samples' inputs, or damp the steps";
    case Status::Stalled:
      return "choose a stronger solver (Auto, Dogleg), another start, or loosen the tolerance";
    case Status::TimeLimit:
      return "allow more time, loosen the tolerance, or start nearer to the solution";
    case Status::Inaccurate:
      return "samples seem to depend on each other: write them as one sample, [1, n], or let the map mix "
             "none";
    case Status::Unbounded:  // of objectives alone
    case Status::Converged:
      break;
  }
  return "";
}

// A solve under way: the map as a whole, as the solver sees it, and what watches it.
struct Run {
  const CheckedMap& map;
  const CheckedMap& solver_map;  // `map`, or it without the samples that have finished
  const FixedPointSolver& solver;
  Monitor& monitor;

  // The best iterate of each sample, in memory of its own.
  at::Tensor find(const at::Tensor& z0, Map* inverse) const {
    const at::NoGradGuard no_grad;
    solver.solve(solver_map, z0.requires_grad() ? z0.detach() : z0, monitor, inverse);
    at::Tensor best = monitor.best();
    while (reopen(best) > 0) {
      solver.solve(solver_map, best, monitor, inverse);
      best = monitor.best();
    }
    constexpr std::size_t known = 2;  // the monitor's and this; what f kept of its values, f may write to
    return best.use_count() > known || best.storage().use_count() > 1 ? best.clone() : best;
  }

  // Evaluates what the solve led to as a whole, if no evaluation has yet, and has the monitor open those
  // samples again that are disturbed by what has become of the others. How many of them can go on.
  std::int64_t reopen(const at::Tensor& z) const {
    if (!monitor.parted()) return 0;
    const at::NoGradGuard no_grad;
    RowNorms whole;
    monitor.norms(z, map.residual(z), whole);
    return monitor.reopen(whole);
  }

  // One step of a solver that offers it, for the samples that run; the others stay where they are.
  std::optional<Step> next(const StepFunctions& functions, const State& state, at::ScalarType dtype) const {
    const at::Tensor z = state[0].to(dtype);
    const at::Tensor fz = map(z);
    if (!monitor.update(z.detach(), fz)) return {};
    const Mask& running = monitor.running();
    const auto take = [step = functions.step, running](const Map& f, const State& from,
                                                       const at::Tensor& f_from) {
      State to = step(f, from, f_from);
      if (running.all()) return to;
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = select_rows(running, to[i], from[i]);
      return to;
    };
    return Step{.next = take([this](const at::Tensor& x) { return map(x); }, state, fz),
                .again = [take, dtype, f = map.checked().map](
                             const State& from) { return take(f, from, f(from[0].to(dtype))); },
                .moved = running};
  }

  Problem problem(const at::Tensor& z0, OnFailure on_failure, Stats& stats) const {
    Problem problem{.f = map, .z0 = z0, .solver = solver, .on_failure = on_failure, .stats = stats};
    problem.find = [this, z0](Map* inverse) { return find(z0, inverse); };
    const StepFunctions functions = solver.step_functions();
    if (functions.step == nullptr) return problem;
    problem.start = [init = functions.init, z0] { return init(z0); };
    problem.next = [this, functions, dtype = z0.scalar_type()](const State& state) {
      return next(functions, state, dtype);
    };
    problem.settle = [this](const at::Tensor& z) {
      monitor.settle_for_latest();
      reopen(z);
    };
    return problem;
  }
};

}  // namespace

Solution<at::Tensor> solve_equation(const Condition& condition, const at::Tensor& z0,
                                    const EquationOptions& options) {
  check_condition(condition, z0);
  const CheckedMap map(condition);
  std::optional<LiveRows> live;
  std::optional<CheckedMap> live_map;
  const auto measure = [&, norm = options.tolerance.norm](const at::Tensor& z,
                                                          const std::vector<double>& target) {
    return slopes(live_map ? *live_map : map, z, norm, target);
  };
  Monitor monitor = monitor_for(z0, condition.form, options, measure);
  if (condition.divisible != nullptr) {
    live.emplace(condition, monitor.running());
    const Condition running([&live](const at::Tensor& z) { return (*live)(z); });
    live_map.emplace(running.stated(condition.form, condition.name));
  }
  const CheckedMap& solver_map = live ? *live_map : map;

  // Autograd refuses to save a tensor of inference mode, but a copy made outside of it is none.
  const at::Tensor start = (z0.is_inference() ? z0.clone() : z0).contiguous();
  const Run run{map, solver_map, options.solver, monitor};
  Solution<at::Tensor> solution;
  Stats& stats = solution.stats;
  if (at::GradMode::is_enabled()) {
    Problem problem = run.problem(start, options.on_failure, stats);
    solution.value = options.gradient.differentiate(problem);
  } else {
    solution.value = run.find(start, nullptr);
  }
  if (solution.value.is_alias_of(z0)) solution.value = solution.value.clone();

  stats.method = options.solver.name();
  stats.advice = &advice;
  monitor.write(stats);
  stats.evaluations = map.evaluations();
  stats.jacobian_products = map.jacobian_products();
  stats.sample_evaluations = map.evaluations() * z0.size(0);
  if (live) {
    stats.evaluations += solver_map.evaluations() + live->checks();
    stats.jacobian_products += solver_map.jacobian_products();
    stats.sample_evaluations += live->sample_evaluations();
  }
  report_failure(stats, options.on_failure);
  return solution;
}

Solution<std::vector<at::Tensor>> solve_equation(const TupleCondition& condition, Form form, const char* name,
                                                 const std::vector<at::Tensor>& z0,
                                                 const EquationOptions& options) {
  TORCH_CHECK(condition.map != nullptr || condition.divisible != nullptr, name,
              ": expected a map, got an empty function");
  const Packing packing(z0);
  const Condition packed = condition.divisible != nullptr
                               ? Condition(packing.pack(condition.divisible), condition.inputs)
                               : Condition(packing.pack(condition.map));
  Solution<at::Tensor> solution = solve_equation(packed.stated(form, name), packing.pack(z0), options);
  return {packing.unpack(solution.value), std::move(solution.stats)};
}

}  // namespace stillpoint::detail
