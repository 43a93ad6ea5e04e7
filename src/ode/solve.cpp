#include "ode/solve.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "ode/carry.h"
#include "ode/dense.h"
#include "ode/freeze.h"
#include "ode/frozen_solve.h"
#include "ode/integrate.h"
#include "ode/schedule.h"
#include "ode/segmented.h"

namespace stillpoint::detail {
namespace {

// All columns of a solve as carries: outputs, events, saved steps.
at::Tensor pack_all(const Carry& carry, const Integration& found) {
  std::vector<at::Tensor> parts{found.values};
  if (!carry.plain()) {
    State columns;
    for (std::int64_t k = 0; k < found.values.size(1); ++k)
      columns.push_back(carry.pack(found.values.select(1, k)));
    parts[0] = at::stack(columns, 1);
  }
  if (!found.saved.empty()) parts.push_back(at::stack(found.saved, 1));
  return parts.size() == 1 ? parts[0] : at::cat(parts, 1);
}

void add_events(ode::Solution<at::Tensor>& solution, const Carry& carry, const at::Tensor& columns,
                Integration& found) {
  const std::int64_t events = columns.size(1);
  std::vector<double> times;
  for (std::vector<double>& row : found.event_times) {
    row.resize(events, std::numeric_limits<double>::quiet_NaN());
    times.insert(times.end(), row.begin(), row.end());
  }
  solution.events.time = at::tensor(times, at::kDouble).view({columns.size(0), events}).to(columns.device());
  if (columns.requires_grad()) solution.events.time = solution.events.time + carry.shifts(columns);
  solution.events.y = carry.states(columns);
  solution.events.which = std::move(found.which);
}

void add_steps(ode::Solution<at::Tensor>& solution, const std::shared_ptr<const FrozenSolve>& frozen,
               const Carry& carry, const at::Tensor& carries, std::int64_t step, bool dense) {
  const at::Tensor times = frozen->saved_times(carry.has_events() ? carry.shifts(carries) : at::Tensor());
  solution.steps.time = step == 1 ? times : times.slice(1, 0, times.size(1), step);
  solution.steps.y = carry.states(step == 1 ? carries : carries.slice(1, 0, carries.size(1), step));
  if (!dense) return;
  solution.dense = ode::DenseSolution<at::Tensor>(
      [frozen, carries](const at::Tensor& t) { return dense_values(*frozen, carries, t); });
}

// How many steps lie between two whose ends are asked for; 0: none is.
std::int64_t save_every(const ode::Save& save) {
  if (const auto* steps = std::get_if<ode::SaveSteps>(&save)) return steps->every;
  return std::holds_alternative<ode::SaveDense>(save) ? 1 : 0;
}

Schedule schedule_for(const Problem& problem, const at::Tensor& y0, const ode::Times& t,
                      const OdeintOptions& options) {
  const bool joint = options.steps == ode::Steps::Joint && t.values.dim() != 2 && problem.events.empty() &&
                     !(options.jumps.times.defined() && options.jumps.times.dim() == 2);
  return {t.values, options.jumps.times, y0.size(0), !joint, options.stop_at_outputs, y0.options()};
}

}  // namespace

ode::Solution<at::Tensor> solve(const std::shared_ptr<const Problem>& problem, const at::Tensor& y0,
                                const ode::Times& t, const OdeintOptions& options) {
  const Schedule schedule = schedule_for(*problem, y0, t, options);
  const bool gradients = at::GradMode::is_enabled();
  const bool by_segments =
      gradients && options.gradient.by_segments() && (schedule.has_jumps() || !problem->events.empty());
  TORCH_CHECK(!by_segments || save_every(options.save) == 0, "save: ode::", options.gradient.name(),
              " expects ode::SaveOutputs where there are events or jumps; take ode::Discrete");
  const bool needs_steps = by_segments || (gradients && options.gradient.saves_steps());
  const std::int64_t every = needs_steps ? 1 : save_every(options.save);
  const at::Tensor start = (y0.is_inference() ? y0.clone() : y0).contiguous();
  std::optional<std::int64_t> states;
  if (gradients) states = options.gradient.states();
  if (!states && every > 0) states = 0;

  Integration found = integrate(*problem, start, schedule, options, states, every);
  const std::int64_t outputs = schedule.outputs();
  const std::int64_t events = found.values.size(1) - outputs;
  const Carry carry(start, found.memory, !problem->events.empty());
  at::Tensor all;
  if (by_segments) {
    all = differentiate_by_segments(problem, start, schedule, options, found);
  } else {
    all = pack_all(carry, found);
  }
  std::shared_ptr<const FrozenSolve> frozen;
  if (states && !by_segments)
    frozen = std::make_shared<const FrozenSolve>(problem, schedule, carry, std::move(found.mesh), every);
  if (gradients && !by_segments) {
    ode::Frozen solved = freeze(frozen, carry, start, all, schedule.times(), found);
    add_equation(solved, *frozen, *problem, options, found.stats);
    all = options.gradient.differentiate(solved);
  }

  const bool alone = all.size(1) == outputs;
  ode::Solution<at::Tensor> solution{carry.states(alone ? all : all.narrow(1, 0, outputs)),
                                     std::move(found.stats)};
  if (!problem->events.empty()) add_events(solution, carry, all.narrow(1, outputs, events), found);
  if (save_every(options.save) == 0) return solution;
  const std::int64_t saved = all.size(1) - outputs - events;
  const at::Tensor first = carry.pack(start).unsqueeze(1);
  const at::Tensor carries = at::cat({first, all.narrow(1, outputs + events, saved)}, 1);
  add_steps(solution, frozen, carry, carries, save_every(options.save) / every,
            std::holds_alternative<ode::SaveDense>(options.save));
  return solution;
}

}  // namespace stillpoint::detail
