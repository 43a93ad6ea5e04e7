#include "ode/freeze.h"

#include <ATen/Functions.h>

#include <algorithm>

namespace stillpoint::detail {

ode::Frozen freeze(const std::shared_ptr<const FrozenSolve>& solve, const Carry& carry, const at::Tensor& y0,
                   const at::Tensor& values, const at::Tensor& times, const Integration& found) {
  ode::Frozen frozen;
  frozen.y0 = carry.pack(y0);
  frozen.values = values;
  frozen.steps = solve->steps();
  frozen.states = found.states;
  frozen.every = found.every;
  frozen.end = found.end;
  frozen.probe = [solve](const at::Tensor& y) { return solve->probe(y); };
  frozen.times = times;
  frozen.step = [solve](std::size_t number, const at::Tensor& y) { return solve->step(number, y); };
  if (solve->can_go_back())
    frozen.back = [solve](std::size_t number, const at::Tensor& y) { return solve->back(number, y); };
  frozen.state = [carry](const at::Tensor& y) { return carry.state(y); };
  frozen.gradients = [solve](std::size_t number, const at::Tensor& gradient) {
    return solve->gradients(number, gradient);
  };
  frozen.collect = [solve](const State& outputs) { return solve->collect(outputs); };
  frozen.joint = solve->is_joint();
  frozen.between = [solve](const at::Tensor& states) {
    return [solve, between = solve->between(states)](const at::Tensor& t) { return between(t); };
  };
  return frozen;
}

void add_equation(ode::Frozen& frozen, const FrozenSolve& solve, const Problem& problem,
                  const OdeintOptions& options, ode::Stats& stats) {
  frozen.field = problem.field;
  frozen.options = &options;
  frozen.stats = &stats;
  frozen.finished = Mask(stats.status.size());
  for (std::size_t b = 0; b < stats.status.size(); ++b)
    frozen.finished[b] = stats.status[b] == ode::Status::Finished;
  frozen.column_times = frozen.times;
  if (solve.saved() == 0 || !problem.events.empty()) return;
  const at::Tensor ends = solve.saved_times({}).slice(1, 1);
  // A sample that has come to the end has taken all joint steps.
  const auto whole = std::find(frozen.finished.begin(), frozen.finished.end(), 1) - frozen.finished.begin();
  const std::int64_t row = whole < ends.size(0) ? whole : 0;
  frozen.column_times = at::cat({frozen.times, frozen.joint ? ends.select(0, row) : ends}, -1);
}

}  // namespace stillpoint::detail
