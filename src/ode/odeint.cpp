#include "stillpoint/ode/odeint.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <memory>
#include <utility>

#include "core/check.h"
#include "ode/control/step_control.h"
#include "ode/frozen_solve.h"
#include "ode/integrate.h"
#include "ode/schedule.h"
#include "ode/slope.h"
#include "stillpoint/core/packing.h"

namespace stillpoint {
namespace {

using detail::FrozenSolve;
using detail::Integration;
using detail::Schedule;

void check_arguments(const ode::VectorField& f, const at::Tensor& y0, const OdeintOptions& options) {
  TORCH_CHECK(f.slope != nullptr, "f: expected a function of t and y, got an empty one");
  detail::check_state("y0", y0.defined() && y0.is_complex() && y0.dim() > 0 ? at::real(y0) : y0);
  detail::check_control(options.control);
  const ode::Tableau& tableau = options.method.tableau();
  TORCH_CHECK(!tableau.error.empty() || std::holds_alternative<ode::ConstantStep>(options.control),
              "control: expected ConstantStep, since ", options.method.name(),
              " has no error estimate; or take a method that has one, such as Tsit5");
  TORCH_CHECK(options.max_steps >= 0, "max_steps: expected ≥ 0, got ", options.max_steps);
  TORCH_CHECK(!options.time_limit || *options.time_limit >= 0.0, "time_limit: expected a number ≥ 0, got ",
              *options.time_limit);
}

ode::Frozen freeze(const std::shared_ptr<const FrozenSolve>& solve, const at::Tensor& y0,
                   const at::Tensor& times, Integration& found) {
  return {.y0 = y0,
          .values = found.values,
          .states = std::move(found.states),
          .probe = [solve](const at::Tensor& y) { return solve->probe(y); },
          .times = times,
          .step = [solve](std::size_t number, const at::Tensor& y) { return solve->step(number, y); },
          .gradients = [solve](std::size_t number,
                               const at::Tensor& gradient) { return solve->gradients(number, gradient); },
          .collect = [solve](const State& outputs) { return solve->collect(outputs); }};
}

}  // namespace

ode::Solution<at::Tensor> odeint(const ode::VectorField& f, const at::Tensor& y0, const ode::Times& t,
                                 const OdeintOptions& options) {
  check_arguments(f, y0, options);
  const bool joint = options.steps == ode::Steps::Joint && t.values.dim() != 2;
  const Schedule schedule(t.values, y0.size(0), !joint, options.stop_at_outputs, y0.options());
  const bool gradients = at::GradMode::is_enabled();
  const at::Tensor start = (y0.is_inference() ? y0.clone() : y0).contiguous();

  const detail::Slope slope(f);
  Integration found = detail::integrate(slope, start, schedule, options, joint, gradients);
  ode::Solution<at::Tensor> solution{found.values, std::move(found.stats)};
  if (gradients) {
    const auto solve =
        std::make_shared<const FrozenSolve>(f, options.method, schedule, std::move(found.mesh));
    solution.value = options.gradient.differentiate(freeze(solve, start, schedule.times(), found));
  }
  report_failure(solution.stats, options.on_failure);
  return solution;
}

ode::Solution<std::vector<at::Tensor>> odeint(const ode::TupleVectorField& f,
                                              const std::vector<at::Tensor>& y0, const ode::Times& t,
                                              const OdeintOptions& options) {
  TORCH_CHECK(f.slope != nullptr, "f: expected a function of t and y, got an empty one");
  const Packing packing(y0);
  const std::int64_t dims = y0[0].dim();
  const ode::VectorField packed(
      [packing, dims, slope = f.slope](const at::Tensor& time, const at::Tensor& y) {
        at::Tensor own = time;
        if (time.dim() > 0) {
          std::vector<std::int64_t> shape(dims, 1);
          shape[0] = time.size(0);
          own = time.view(shape);
        }
        return packing.pack(slope(own, packing.unpack(y)));
      });
  const ode::Solution<at::Tensor> solution = odeint(packed, packing.pack(y0), t, options);

  std::vector<at::Tensor> values;
  std::int64_t column = 0;
  for (const at::Tensor& part : y0) {
    const std::int64_t width = part.size(0) == 0 ? 0 : part.numel() / part.size(0);
    std::vector<std::int64_t> shape = part.sizes().vec();
    shape.insert(shape.begin() + 1, solution.value.size(1));
    values.push_back(solution.value.narrow(2, column, width).reshape(shape));
    column += width;
  }
  return {std::move(values), solution.stats};
}

}  // namespace stillpoint
