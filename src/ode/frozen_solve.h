#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "ode/carry.h"
#include "ode/mesh.h"
#include "ode/problem.h"
#include "ode/schedule.h"
#include "ode/slope.h"
#include "ode/stepper.h"
#include "stillpoint/autograd/unroll.h"

namespace stillpoint::detail {

/// A solve whose accepted steps are fixed: each is a map of what the solve carries, differentiable in all
/// that it reads. See Carry.
class FrozenSolve {
 public:
  FrozenSolve(std::shared_ptr<const Problem> problem, Schedule schedule, Carry carry, Mesh mesh);

  std::size_t steps() const { return steps_; }
  /// What f, the events and the jumps make of the start.
  at::Tensor probe(const at::Tensor& carry) const;
  /// The carry after this step, then one for each of its outputs. That of an event has its time.
  State step(std::size_t number, const at::Tensor& carry) const;
  /// Whether steps can be taken back.
  bool can_go_back() const;
  /// The carry that this step starts from, where it leads to this one.
  at::Tensor back(std::size_t number, const at::Tensor& carry) const;
  /// Of `gradient`, `[B, T + E, …]`, what belongs to the outputs of this step.
  State gradients(std::size_t number, const at::Tensor& gradient) const;
  /// `[B, T + E, …]` from the start and all outputs in the order of the steps; NaN where a sample did not
  /// come.
  at::Tensor collect(const State& outputs) const;

 private:
  const MeshStep* at(std::size_t clock, std::size_t number) const;
  Place place(std::size_t clock, std::size_t number, bool end) const;
  std::size_t outputs_in(std::size_t number) const;
  std::vector<std::int64_t> columns(std::size_t number, std::size_t output) const;
  Span span_to(std::size_t number, const std::vector<Place>& ends, const at::Tensor& shift) const;
  Span span(std::size_t number, const at::Tensor& shift) const;
  Span output_span(std::size_t number, const std::vector<std::int64_t>& columns, const at::Tensor& shift,
                   const at::Tensor& event_shift) const;
  Mask active(std::size_t number) const;
  bool ends_at(std::size_t number, const std::vector<std::int64_t>& columns) const;
  bool is_event(std::int64_t column) const { return column >= schedule_.outputs(); }

  Mask anew(std::size_t number) const;
  std::vector<std::size_t> events_in(std::size_t number) const;
  at::Tensor jump(std::size_t number, const at::Tensor& y, const at::Tensor& shift) const;
  at::Tensor event_shift(const std::vector<std::size_t>& events, std::size_t number, const Span& whole,
                         const at::Tensor& y, const Stages& stages) const;
  at::Tensor happen(const std::vector<std::size_t>& events, const Span& output, const at::Tensor& y) const;

  std::shared_ptr<const Problem> problem_;
  Schedule schedule_;
  Carry carry_;
  Mesh mesh_;
  std::size_t steps_ = 0;
};

}  // namespace stillpoint::detail
