#include "stillpoint/ode/odeint.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "ode/control/step_control.h"
#include "ode/packed_state.h"
#include "ode/problem.h"
#include "ode/solve.h"

namespace stillpoint {
namespace {

using detail::PackedState;
using detail::Problem;

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
  const ode::Newton& newton = options.method.newton();
  TORCH_CHECK(newton.accuracy > 0.0 && newton.accuracy < 1.0,
              "newton.accuracy: expected a number in (0, 1), got ", newton.accuracy);
  TORCH_CHECK(newton.max_iterations >= 1, "newton.max_iterations: expected ≥ 1, got ", newton.max_iterations);
  if (const auto* steps = std::get_if<ode::SaveSteps>(&options.save))
    TORCH_CHECK(steps->every >= 1, "save.every: expected ≥ 1, got ", steps->every);
  TORCH_CHECK(options.max_steps >= 0, "max_steps: expected ≥ 0, got ", options.max_steps);
  TORCH_CHECK(!options.time_limit || *options.time_limit >= 0.0, "time_limit: expected a number ≥ 0, got ",
              *options.time_limit);
}

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
  if (const detail::StateMap then = flat("jumps.then", options.jumps.then, packed)) {
    problem.jump = [then](const std::vector<std::int64_t>& /*columns*/, const at::Tensor& t,
                          const at::Tensor& y) { return then(t, y); };
  }
}

}  // namespace

ode::Solution<at::Tensor> odeint(const ode::VectorField& f, const at::Tensor& y0, const ode::Times& t,
                                 const OdeintOptions& options) {
  check_arguments(f, y0, options);
  const auto problem = std::make_shared<Problem>(
      Problem{.field = f, .method = options.method, .tolerance = options.tolerance});
  add_events(*problem, options, {});
  ode::Solution<at::Tensor> solution = detail::solve(problem, y0, t, options);
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
  const auto problem = std::make_shared<Problem>(
      Problem{.field = field, .method = options.method, .tolerance = options.tolerance});
  add_events(*problem, options, packed);
  const ode::Solution<at::Tensor> solution = detail::solve(problem, start, t, options);
  report_failure(solution.stats, options.on_failure);
  ode::Solution<State> lists{packed.unpack_all(solution.value), solution.stats};
  if (!options.events.empty())
    lists.events = {solution.events.time, packed.unpack_all(solution.events.y), solution.events.which};
  if (solution.steps.y.defined()) lists.steps = {solution.steps.time, packed.unpack_all(solution.steps.y)};
  if (solution.dense) {
    lists.dense = ode::DenseSolution<State>(
        [packed, dense = solution.dense](const at::Tensor& at) { return packed.unpack_all(dense(at)); });
  }
  return lists;
}

}  // namespace stillpoint
