#include "stillpoint/nn/neural_ode.h"

#include <mutex>
#include <ostream>
#include <utility>

#include "core/report_lock.h"

namespace stillpoint::nn {

// Called on a copy that still shares the field of its original.
void NeuralOdeImpl::reset() {
  field_ = field_.cloned();
  register_module("field", field_.module());
}

at::Tensor NeuralOdeImpl::forward(const at::Tensor& y0) { return trajectory(y0, {0.0, 1.0}).select(1, 1); }

at::Tensor NeuralOdeImpl::trajectory(const at::Tensor& y0, const ode::Times& t) {
  // By value: the backward pass may call it when this module is gone.
  ode::VectorField f(field_);
  f.takes_time = field_.takes_time();
  ode::Solution<at::Tensor> solution = odeint(f, y0, t, options);
  const std::lock_guard<std::mutex> lock(stillpoint::detail::report_lock);
  stats_ = std::move(solution.stats);
  return solution.value;
}

void NeuralOdeImpl::pretty_print(std::ostream& stream) const {
  stream << "stillpoint::nn::NeuralOde(method=" << options.method.name() << ")";
}

}  // namespace stillpoint::nn
