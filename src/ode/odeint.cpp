#include "stillpoint/ode/odeint.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "ode/carry.h"
#include "ode/control/step_control.h"
#include "ode/frozen_solve.h"
#include "ode/integrate.h"
#include "ode/problem.h"
#include "ode/schedule.h"
#include "stillpoint/core/packing.h"

namespace stillpoint {
namespace {

using detail::Carry;
using detail::FrozenSolve;
using detail::Integration;
using detail::Problem;
using detail::Schedule;

void check_arguments(const ode::VectorField& f, const at::Tensor& y0, const OdeintOptions& options) {
  TORCH_CHECK(f.slope || f.divisible, "f: expected a function of t and y, got an empty one");
  detail::check_state("y0", y0.defined() && y0.is_complex() && y0.dim() > 0 ? at::real(y0) : y0);
  for (std::size_t i = 0; i < f.inputs.size(); ++i) {
    const at::Tensor& input = f.inputs[i];
    TORCH_CHECK(input.defined() && input.dim() > 0 && input.size(0) == y0.size(0), "inputs[", i,
                "]: expected [B, …] with the ", y0.size(0), " samples of y0, got ",
                input.defined() ? c10::str("shape ", input.sizes()) : std::string("an undefined tensor"));
  }
  detail::check_control(options.control);
  TORCH_CHECK(
      options.method.embedded_order() > 0 || std::holds_alternative<ode::ConstantStep>(options.control),
      "control: expected ConstantStep, since ", options.method.name(),
      " has no error estimate; or take a method that has one, such as Tsit5");
  TORCH_CHECK(options.max_steps >= 0, "max_steps: expected ≥ 0, got ", options.max_steps);
  TORCH_CHECK(!options.time_limit || *options.time_limit >= 0.0, "time_limit: expected a number ≥ 0, got ",
              *options.time_limit);
}

// A state of several tensors as one, `[B, N]`.
class PackedState {
 public:
  explicit PackedState(const State& y0) : packing_(y0), dims_(y0[0].dim()) {
    for (const at::Tensor& part : y0) shapes_.push_back(part.sizes().vec());
  }

  at::Tensor pack(const State& y) const { return packing_.pack(y); }
  State unpack(const at::Tensor& y) const { return packing_.unpack(y); }
  // As it broadcasts against the first tensor.
  at::Tensor time(const at::Tensor& t) const {
    if (!t.defined() || t.dim() == 0) return t;
    std::vector<std::int64_t> shape(dims_, 1);
    shape[0] = t.size(0);
    return t.view(shape);
  }
  ode::VectorField flat(const ode::TupleVectorField& f) const {
    if (f.slope) {
      ode::VectorField field([*this, slope = f.slope](const at::Tensor& t, const at::Tensor& y) {
        return pack(slope(time(t), unpack(y)));
      });
      field.takes_time = f.takes_time;
      return field;
    }
    return {[*this, slope = f.divisible](const at::Tensor& t, const at::Tensor& y, const State& inputs) {
              // For any number of samples.
              const TupleMapWithInputs at_t = [&](const State& all, const State& some) {
                return slope(time(t), all, some);
              };
              return packing_.pack(at_t)(y, inputs);
            },
            f.inputs};
  }
  // Of `[B, T, N]`: lists of `[B, T, …]`.
  State unpack_all(const at::Tensor& values) const {
    State all;
    std::int64_t column = 0;
    for (std::vector<std::int64_t> shape : shapes_) {
      const std::int64_t width =
          std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1}, std::multiplies<>());
      shape.insert(shape.begin() + 1, values.size(1));
      all.push_back(values.narrow(2, column, width).reshape(shape));
      column += width;
    }
    return all;
  }

 private:
  Packing packing_;
  std::int64_t dims_;
  std::vector<std::vector<std::int64_t>> shapes_;
};

// A map of states as one of a tensor, with its checks.
detail::StateMap flat(const std::string& name, const ode::StateFunction<State>& map,
                      const std::optional<PackedState>& packed) {
  if (!map) return {};
  return [=](const at::Tensor& t, const at::Tensor& y) {
    const State then = packed ? map(packed->time(t), packed->unpack(y)) : map(t, {y});
    TORCH_CHECK(packed || then.size() == 1, name, ": expected one tensor, as y is, got ", then.size());
    at::Tensor after = packed ? packed->pack(then) : then[0];
    detail::check_like(name.c_str(), after, y);
    return after.contiguous();
  };
}

detail::StateMap flat(const std::string& name, const ode::StateFunction<at::Tensor>& number,
                      const std::optional<PackedState>& packed) {
  TORCH_CHECK(number, name, ": expected a function of t and y, got an empty one");
  return [=](const at::Tensor& t, const at::Tensor& y) {
    const at::Tensor crossing = packed ? number(packed->time(t), packed->unpack(y)) : number(t, {y});
    TORCH_CHECK(crossing.defined() && crossing.numel() == y.size(0) && crossing.dim() > 0 &&
                    at::isFloatingType(crossing.scalar_type()),
                name, ": expected one floating-point number a sample, [", y.size(0), "], got ",
                crossing.defined() ? c10::str("shape ", crossing.sizes(), ", ", crossing.scalar_type())
                                   : std::string("an undefined tensor"));
    return crossing.reshape({y.size(0)}).to(at::kDouble);
  };
}

void check_takes(const std::string& name, bool takes_list, const std::optional<PackedState>& packed) {
  TORCH_CHECK(takes_list || !packed, name,
              ": expected a function of the list of tensors that y is, got one of a tensor");
}

void add_events(Problem& problem, const OdeintOptions& options, const std::optional<PackedState>& packed) {
  for (std::size_t e = 0; e < options.events.size(); ++e) {
    const ode::Event& event = options.events[e];
    const std::string name = c10::str("events[", e, "].");
    TORCH_CHECK(event.terminal >= 0, name, "terminal: expected a number ≥ 0, got ", event.terminal);
    check_takes(name + "when", event.when.takes_list(), packed);
    check_takes(name + "then", !event.then || event.then.takes_list(), packed);
    problem.events.push_back({flat(name + "when", event.when, packed), event.crossing, event.terminal,
                              flat(name + "then", event.then, packed)});
  }
  check_takes("jumps.then", !options.jumps.then || options.jumps.then.takes_list(), packed);
  problem.jump = flat("jumps.then", options.jumps.then, packed);
}

at::Tensor pack_all(const Carry& carry, const at::Tensor& values) {
  if (carry.plain()) return values;
  State columns;
  for (std::int64_t k = 0; k < values.size(1); ++k) columns.push_back(carry.pack(values.select(1, k)));
  return at::stack(columns, 1);
}

ode::Frozen freeze(const std::shared_ptr<const FrozenSolve>& solve, const Carry& carry, const at::Tensor& y0,
                   const at::Tensor& times, const Integration& found) {
  ode::Frozen frozen;
  frozen.y0 = carry.pack(y0);
  frozen.values = pack_all(carry, found.values);
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
  return frozen;
}

// Takes outputs and events apart. `times` are those of events, with their graph if `shifts` have one.
ode::Solution<at::Tensor> take_apart(const at::Tensor& values, const at::Tensor& shifts, std::int64_t outputs,
                                     Integration found) {
  ode::Solution<at::Tensor> solution{values.narrow(1, 0, outputs), std::move(found.stats)};
  const std::int64_t batch = values.size(0);
  const std::int64_t events = values.size(1) - outputs;
  std::vector<double> times;
  for (std::vector<double>& row : found.event_times) {
    row.resize(events, std::numeric_limits<double>::quiet_NaN());
    times.insert(times.end(), row.begin(), row.end());
  }
  solution.events.time = at::tensor(times, at::kDouble).view({batch, events}).to(values.device());
  if (shifts.defined()) solution.events.time = solution.events.time + shifts.narrow(1, outputs, events);
  solution.events.y = values.narrow(1, outputs, events);
  solution.events.which = std::move(found.which);
  return solution;
}

ode::Solution<at::Tensor> solve(const std::shared_ptr<const Problem>& problem, const at::Tensor& y0,
                                const ode::Times& t, const OdeintOptions& options) {
  const bool joint = options.steps == ode::Steps::Joint && t.values.dim() != 2 && problem->events.empty() &&
                     !(options.jumps.times.defined() && options.jumps.times.dim() == 2);
  const Schedule schedule(t.values, options.jumps.times, y0.size(0), !joint, options.stop_at_outputs,
                          y0.options());
  const bool gradients = at::GradMode::is_enabled();
  const at::Tensor start = (y0.is_inference() ? y0.clone() : y0).contiguous();

  const auto states = gradients ? std::optional(options.gradient.states()) : std::nullopt;
  Integration found = detail::integrate(*problem, start, schedule, options, states);
  const bool had_events = found.values.size(1) > schedule.outputs();
  at::Tensor values = found.values;
  at::Tensor shifts;
  if (gradients) {
    const Carry carry(start, found.memory, !problem->events.empty());
    const auto frozen = std::make_shared<const FrozenSolve>(problem, schedule, carry, std::move(found.mesh));
    const at::Tensor all =
        options.gradient.differentiate(freeze(frozen, carry, start, schedule.times(), found));
    values = carry.states(all);
    if (had_events) shifts = carry.shifts(all);
  }
  if (problem->events.empty()) return {values, std::move(found.stats)};
  return take_apart(values, shifts, schedule.outputs(), std::move(found));
}

}  // namespace

ode::Solution<at::Tensor> odeint(const ode::VectorField& f, const at::Tensor& y0, const ode::Times& t,
                                 const OdeintOptions& options) {
  check_arguments(f, y0, options);
  const auto problem = std::make_shared<Problem>(Problem{f, options.method});
  add_events(*problem, options, {});
  ode::Solution<at::Tensor> solution = solve(problem, y0, t, options);
  report_failure(solution.stats, options.on_failure);
  return solution;
}

ode::Solution<std::vector<at::Tensor>> odeint(const ode::TupleVectorField& f,
                                              const std::vector<at::Tensor>& y0, const ode::Times& t,
                                              const OdeintOptions& options) {
  TORCH_CHECK(f.slope || f.divisible, "f: expected a function of t and y, got an empty one");
  const PackedState packed(y0);
  const at::Tensor start = packed.pack(y0);
  const ode::VectorField field = packed.flat(f);
  check_arguments(field, start, options);
  const auto problem = std::make_shared<Problem>(Problem{field, options.method});
  add_events(*problem, options, packed);
  const ode::Solution<at::Tensor> solution = solve(problem, start, t, options);
  report_failure(solution.stats, options.on_failure);
  if (options.events.empty()) return {packed.unpack_all(solution.value), solution.stats};
  return {packed.unpack_all(solution.value),
          solution.stats,
          {solution.events.time, packed.unpack_all(solution.events.y), solution.events.which}};
}

}  // namespace stillpoint
