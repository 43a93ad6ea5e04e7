#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
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
  /// `save_every`: how many steps lie between those whose ends are columns, too, after all others; 0: none.
  FrozenSolve(std::shared_ptr<const Problem> problem, Schedule schedule, Carry carry, Mesh mesh,
              std::int64_t save_every);

  std::size_t steps() const { return steps_; }
  /// How many ends of steps are columns.
  std::int64_t saved() const { return mesh_.columns - first_saved_; }
  std::size_t clocks() const { return mesh_.clocks.size(); }
  bool is_joint() const { return mesh_.joint; }
  /// What f, the events and the jumps make of the start.
  at::Tensor probe(const at::Tensor& carry) const;
  /// The carry after this step, then one for each of its outputs, which it is itself the last of if it is
  /// saved. That of an event has its time.
  State step(std::size_t number, const at::Tensor& carry) const;
  /// Whether steps can be taken back.
  bool can_go_back() const;
  /// The carry that this step starts from, where it leads to this one.
  at::Tensor back(std::size_t number, const at::Tensor& carry) const;
  /// Of `gradient`, `[B, T + E + S, …]`, what belongs to the outputs of this step.
  State gradients(std::size_t number, const at::Tensor& gradient) const;
  /// `[B, T + E + S, …]` from the start and all outputs in the order of the steps; NaN where a sample did not
  /// come.
  at::Tensor collect(const State& outputs) const;

  /// The times of the start and of the saved ends, `[B, 1 + S]`, in double; NaN where a sample did not come.
  /// `shifts` is `[B, 1 + S]`, of the carries there; or undefined.
  at::Tensor saved_times(const at::Tensor& shifts) const;
  /// The steps, one a clock, in which these times lie.
  std::vector<std::size_t> steps_at(const std::vector<double>& times) const;
  /// The first and the last time that a clock was asked for.
  std::pair<double, double> range(std::size_t clock) const;
  /// Which samples came to these times in these steps.
  Mask came(const std::vector<std::size_t>& numbers, const std::vector<double>& times) const;
  /// A step that starts from `carry` at each clock's own number, to be looked into.
  struct Inside {
    Span whole;
    at::Tensor y;
    Stages stages;
  };
  /// Of these carries, `[B, 1 + S, …]`, each clock's own number.
  static at::Tensor pick(const at::Tensor& carries, const std::vector<std::size_t>& numbers);
  Inside enter(const std::vector<std::size_t>& numbers, const at::Tensor& carry) const;
  /// The solution between carries, see ode::Frozen::between.
  std::function<at::Tensor(const at::Tensor& t)> between(const at::Tensor& carries) const;
  /// The state at times inside it, `[]` or `[B]` in double, differentiable in these, too.
  at::Tensor look(const Inside& step, const std::vector<double>& times, const at::Tensor& recorded) const;

 private:
  /// Of the step of each clock.
  using Numbers = std::vector<std::size_t>;
  using Columns = std::vector<std::int64_t>;

  Numbers all(std::size_t number) const { return Numbers(mesh_.clocks.size(), number); }
  const MeshStep* at(std::size_t clock, std::size_t number) const;
  Place place(std::size_t clock, std::size_t number, bool end) const;
  double end_of(std::size_t clock, const MeshStep& step) const {
    return step.event ? step.event->time : schedule_.time(clock, step.end);
  }
  bool saves(std::size_t number) const { return save_every_ > 0 && (number + 1) % save_every_ == 0; }
  std::int64_t saved_column(std::size_t number) const;
  std::size_t outputs_inside(std::size_t number) const;
  std::size_t outputs_in(std::size_t number) const {
    return outputs_inside(number) + (saves(number) ? 1 : 0);
  }
  Columns columns(std::size_t number, std::size_t output) const;
  Span span_to(const Numbers& numbers, const std::vector<Place>& ends, const at::Tensor& shift,
               bool recorded) const;
  Span span(const Numbers& numbers, const at::Tensor& shift, bool recorded) const;
  Span output_span(std::size_t number, const Columns& columns, const at::Tensor& shift,
                   const at::Tensor& event_shift) const;
  Mask active(std::size_t number) const;
  bool ends_at(std::size_t number, const Columns& columns) const;
  bool is_event(std::int64_t column) const { return column >= schedule_.outputs(); }
  bool records_times() const { return schedule_.times().requires_grad() || carry_.has_events(); }

  static void expect_solved(const Stages& stages, const Mask& moves);
  Mask anew(const Numbers& numbers) const;
  std::vector<std::size_t> events_in(std::size_t number) const;
  at::Tensor jump(const Numbers& numbers, const at::Tensor& y, const at::Tensor& shift) const;
  at::Tensor event_shift(const std::vector<std::size_t>& events, std::size_t number, const Span& whole,
                         const at::Tensor& y, const Stages& stages) const;
  at::Tensor happen(const std::vector<std::size_t>& events, const Span& output, const at::Tensor& y) const;

  std::shared_ptr<const Problem> problem_;
  Schedule schedule_;
  Carry carry_;
  Mesh mesh_;
  std::size_t save_every_;
  std::int64_t first_saved_;  // column
  std::size_t steps_ = 0;
};

}  // namespace stillpoint::detail
