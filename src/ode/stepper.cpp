#include "ode/stepper.h"

#include <c10/util/Exception.h>

#include "core/check.h"
#include "core/rows/rows.h"
#include "ode/combine.h"

namespace stillpoint::detail {
namespace {

ode::SlopeFunction as_function(const Slope& f) {
  return [&f](const at::Tensor& t, const at::Tensor& y) { return f(t, y); };
}

// A method's own fractions of a step. Both must outlive it.
ode::Interval interval(const Slope& f, const Span& span, const at::Tensor& y) {
  return {step_length(span, y),
          [&](double fraction) { return f.takes_time() ? stage_time(span, fraction, y) : at::Tensor(); }};
}

void check_step(const ode::Stepped& step, const at::Tensor& y, const std::vector<at::Tensor>& memory) {
  check_like("method.step", step.y, y);
  TORCH_CHECK(step.memory.size() == memory.size(), "method.step: expected the memory of ", memory.size(),
              " tensors that its begin makes, got ", step.memory.size());
  for (std::size_t i = 0; i < memory.size(); ++i)
    check_like("method.step: memory", step.memory[i], memory[i]);
}

}  // namespace

Stepper::Stepper(const ode::Method& method, const ode::Tolerance& tolerance, bool to_rounding)
    : tableau_(method.tableau()), stepping_(method.stepping()) {
  if (tableau_ == nullptr || !tableau_->is_implicit()) return;
  solver_ = std::make_unique<StageSolver>(method.newton(), tolerance, to_rounding);
  output_solver_ = std::make_unique<StageSolver>(method.newton(), tolerance, to_rounding);
}

void Stepper::report(ode::Stats& stats) const {
  for (const StageSolver* solver : {solver_.get(), output_solver_.get()}) {
    if (solver == nullptr) continue;
    stats.newton_iterations += solver->effort().iterations;
    stats.jacobians += solver->effort().jacobians;
    stats.factorizations += solver->effort().factorizations;
  }
}

std::vector<at::Tensor> Stepper::begin(const Slope& f, const Span& span, const at::Tensor& y) const {
  if (stepping_ == nullptr) return {};
  return stepping_->begin(as_function(f), interval(f, span, y).time(0.0), y);
}

std::vector<at::Tensor> Stepper::begin(const Slope& f, const Span& span, const at::Tensor& y,
                                       const Mask& anew, const std::vector<at::Tensor>& memory) const {
  if (stepping_ == nullptr || !anew.any()) return memory;
  std::vector<at::Tensor> made = begin(f, span, y);
  if (anew.all()) return made;
  for (std::size_t i = 0; i < made.size(); ++i) made[i] = select_rows(anew, made[i], memory[i]);
  return made;
}

Stages Stepper::take(const Slope& f, const Span& span, const at::Tensor& from,
                     const std::vector<at::Tensor>& memory, const at::Tensor& first, bool all) const {
  if (tableau_ != nullptr) return take_step(*tableau_, f, span, from, first, all, solver_.get());
  ode::Stepped step = stepping_->step(as_function(f), interval(f, span, from), from, memory);
  check_step(step, from, memory);
  return {.start = from,
          .next = step.y.contiguous(),
          .memory = memory,
          .next_memory = std::move(step.memory),
          .error = step.error.defined() ? step.error.contiguous() : at::Tensor()};
}

ode::Stepped Stepper::back(const Slope& f, const Span& span, const at::Tensor& to,
                           const std::vector<at::Tensor>& memory) const {
  ode::Stepped step = stepping_->back(as_function(f), interval(f, span, to), to, memory);
  check_step(step, to, memory);
  return step;
}

at::Tensor Stepper::inside(const Slope& f, const Span& span, const Span& output, const at::Tensor& y,
                           const Stages& stages, const Mask& wanted) const {
  if (tableau_ != nullptr)
    return state_inside(*tableau_, f, span, output, y, stages, wanted, output_solver_.get());
  return take(f, output, y, stages.memory, {}, /*all=*/false).next;
}

std::vector<double> Stepper::errors(const Span& span, const at::Tensor& y, const Stages& stages,
                                    double absolute, double relative) const {
  if (solver_ && tableau_->damped_error) {
    const at::Tensor error = solver_->damped(step_error(*tableau_, span, stages));
    return error_norms({error}, {1.0}, {1.0}, y, stages.next, absolute, relative);
  }
  if (tableau_ != nullptr) return step_errors(*tableau_, span, y, stages, absolute, relative);
  const bool estimated = stages.error.defined();
  return error_norms({estimated ? stages.error : stages.next}, {estimated ? 1.0 : 0.0}, {1.0}, y, stages.next,
                     absolute, relative);
}

}  // namespace stillpoint::detail
