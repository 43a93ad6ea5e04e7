#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "ode/mesh.h"
#include "ode/runge_kutta.h"
#include "ode/schedule.h"
#include "ode/slope.h"
#include "stillpoint/autograd/unroll.h"
#include "stillpoint/ode/method.h"

namespace stillpoint::detail {

/// A solve whose accepted steps are fixed: each is a map of the state, differentiable in all that it reads.
class FrozenSolve {
 public:
  FrozenSolve(ode::VectorField field, ode::Method method, Schedule schedule, Mesh mesh);

  std::size_t steps() const { return steps_; }
  /// The slope where the solve starts.
  at::Tensor probe(const at::Tensor& y) const;
  /// The state after this step, then one for each of its outputs.
  State step(std::size_t number, const at::Tensor& y) const;
  /// Of `gradient`, `[B, T, …]`, what belongs to the outputs of this step.
  State gradients(std::size_t number, const at::Tensor& gradient) const;
  /// `[B, T, …]` from y0 and all outputs in the order of the steps; NaN where a sample did not come.
  at::Tensor collect(const State& outputs) const;

 private:
  const MeshStep* at(std::size_t clock, std::size_t number) const;
  Place place(std::size_t clock, std::size_t number, bool end) const;
  std::size_t outputs_in(std::size_t number) const;
  std::vector<std::int64_t> columns(std::size_t number, std::size_t output) const;
  Span span_to(std::size_t number, const std::vector<Place>& ends) const;
  Span span(std::size_t number) const;
  Span output_span(std::size_t number, const std::vector<std::int64_t>& columns) const;
  Mask active(std::size_t number) const;
  bool ends_at(std::size_t number, const std::vector<std::int64_t>& columns) const;

  ode::VectorField field_;
  ode::Method method_;
  Schedule schedule_;
  Mesh mesh_;
  std::size_t steps_ = 0;
};

}  // namespace stillpoint::detail
