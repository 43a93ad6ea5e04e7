#include "ode/event_time.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <utility>

#include "core/rows/rows.h"
#include "ode/frozen_solve.h"
#include "ode/runge_kutta.h"
#include "stillpoint/autograd/implicit.h"

namespace stillpoint::detail {
namespace {

/// A x = b for systems of one number each.
struct Quotient {
  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& /*x0*/,
                             const ResolvedTolerance& tolerance) const {
    const at::Tensor x = at::where(b == 0.0, b, b / a.mv(at::ones_like(b)));
    Solution<at::Tensor> solution{x, {}};
    Stats& stats = solution.stats;
    stats.method = "Quotient";
    stats.evaluations = 1;
    stats.residual = row_norms(b - a.mv(x), tolerance.norm);
    for (const double residual : stats.residual) {
      stats.status.push_back(std::isfinite(residual) ? Status::Converged : Status::NonFinite);
      stats.iterations.push_back(1);
    }
    stats.advice = [](Status) {
      return "an event that only touches zero has no derivative in what moves it; look at its function";
    };
    return solution;
  }
};

}  // namespace

at::Tensor shift_of_events(const std::shared_ptr<const Problem>& problem,
                           const std::vector<std::size_t>& events, const at::Tensor& found,
                           const std::function<at::Tensor(const at::Tensor& times)>& state_at) {
  // By value: a backward pass that creates a graph calls it again.
  Condition condition([=](const at::Tensor& shift) {
    const at::Tensor times = found + shift;
    const at::Tensor state = state_at(times);
    const at::Tensor t = against(times, state);
    // Nothing, but an adjoint that is not finite gets through to the state also where `when` is flat.
    const at::Tensor flat = state.reshape({state.size(0), -1}).sum(1);
    const at::Tensor nothing = 0.0 * (flat.is_complex() ? at::real(flat) : flat).to(at::kDouble);
    at::Tensor residual = shift;
    for (std::size_t e = 0; e < problem->events.size(); ++e) {
      Mask mine(events.size());
      for (std::size_t b = 0; b < mine.size(); ++b) mine[b] = events[b] == e;
      if (!mine.any()) continue;
      const at::Tensor crossing = problem->events[e].when(t, state) + nothing;
      residual = at::where(to_mask(mine, residual), crossing, residual);
    }
    return residual;
  });
  return implicit(condition.stated(Form::Root, "when"), at::zeros_like(found), {.solver = Quotient{}});
}

at::Tensor FrozenSolve::event_shift(const std::vector<std::size_t>& events, std::size_t number,
                                    const Span& whole, const at::Tensor& y, const Stages& stages) const {
  Span output = whole;
  Mask hit(events.size());
  for (std::size_t b = 0; b < events.size(); ++b) {
    hit[b] = events[b] < problem_->events.size();
    if (hit[b]) output.end[b] = at(b, number)->event->time;
  }
  const at::Tensor found = at::tensor(output.end, at::kDouble).to(y.device());
  const at::Tensor own = to_mask(hit, found);
  return shift_of_events(problem_, events, found, [=, problem = problem_](const at::Tensor& times) {
    Span there = output;
    there.end_at = at::where(own, times, whole.end_at);
    const Slope f(problem->field);
    return Stepper(problem->method).inside(f, whole, there, y, stages, hit);
  });
}

}  // namespace stillpoint::detail
