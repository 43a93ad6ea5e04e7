#include "ode/frozen_solve.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/rows/rows.h"

namespace stillpoint::detail {

FrozenSolve::FrozenSolve(std::shared_ptr<const Problem> problem, Schedule schedule, Carry carry, Mesh mesh,
                         std::int64_t save_every)
    : problem_(std::move(problem)),
      schedule_(std::move(schedule)),
      carry_(std::move(carry)),
      mesh_(std::move(mesh)),
      save_every_(static_cast<std::size_t>(save_every)),
      first_saved_(mesh_.columns) {
  for (const auto& clock : mesh_.clocks) steps_ = std::max(steps_, clock.size());
  if (save_every_ > 0) mesh_.columns += static_cast<std::int64_t>(steps_ / save_every_);
}

const MeshStep* FrozenSolve::at(std::size_t clock, std::size_t number) const {
  const auto& steps = mesh_.clocks[clock];
  return number < steps.size() ? &steps[number] : nullptr;
}

// A clock that has taken all its steps stands still at the end of the last one.
Place FrozenSolve::place(std::size_t clock, std::size_t number, bool end) const {
  const MeshStep* step = at(clock, number);
  if (step != nullptr) return end ? step->end : step->start;
  if (mesh_.clocks[clock].empty()) return {};
  const MeshStep& last = mesh_.clocks[clock].back();
  if (!last.event) return last.end;
  return {.from = Place::kEvent, .to = last.end.to, .fraction = 0.0, .event = last.event->time};
}

std::int64_t FrozenSolve::saved_column(std::size_t number) const {
  return first_saved_ + static_cast<std::int64_t>((number + 1) / save_every_) - 1;
}

std::size_t FrozenSolve::outputs_inside(std::size_t number) const {
  std::size_t most = 0;
  for (std::size_t n = 0; n < mesh_.clocks.size(); ++n) {
    if (const MeshStep* step = at(n, number)) most = std::max(most, step->outputs.size());
  }
  return most;
}

// The column of each clock's output of this number inside the step, after which comes that of its end if this
// is saved; −1 for a clock that has none.
FrozenSolve::Columns FrozenSolve::columns(std::size_t number, std::size_t output) const {
  Columns columns;
  const bool saved = output >= outputs_inside(number);
  for (std::size_t n = 0; n < mesh_.clocks.size(); ++n) {
    const MeshStep* step = at(n, number);
    if (step == nullptr || (!saved && output >= step->outputs.size())) {
      columns.push_back(-1);
    } else {
      columns.push_back(saved ? saved_column(number) : step->outputs[output]);
    }
  }
  return columns;
}

Span FrozenSolve::span_to(const Numbers& numbers, const std::vector<Place>& ends, const at::Tensor& shift,
                          bool recorded) const {
  std::vector<Place> starts;
  for (std::size_t n = 0; n < numbers.size(); ++n) starts.push_back(place(n, numbers[n], /*end=*/false));
  if (recorded) return {schedule_, starts, ends, shift};
  return {schedule_, starts, ends};
}

Span FrozenSolve::span(const Numbers& numbers, const at::Tensor& shift, bool recorded) const {
  std::vector<Place> ends;
  for (std::size_t n = 0; n < numbers.size(); ++n) ends.push_back(place(n, numbers[n], /*end=*/true));
  return span_to(numbers, ends, shift, recorded);
}

// From the start of the step to the outputs in these columns; to its end for a clock without one.
Span FrozenSolve::output_span(std::size_t number, const Columns& columns, const at::Tensor& shift,
                              const at::Tensor& event_shift) const {
  std::vector<Place> ends;
  Mask events(columns.size());
  std::vector<double> times(columns.size(), 0.0);
  for (std::size_t n = 0; n < columns.size(); ++n) {
    events[n] = is_event(columns[n]);
    if (events[n]) times[n] = at(n, number)->event->time;
    ends.push_back(columns[n] < 0 || events[n]
                       ? place(n, number, /*end=*/true)
                       : Place{.from = columns[n], .to = columns[n], .fraction = 1.0});
  }
  Span span = span_to(all(number), ends, shift, records_times());
  if (!events.any()) return span;
  for (std::size_t n = 0; n < columns.size(); ++n) {
    if (events[n]) span.end[n] = times[n];
  }
  const at::Tensor found = at::tensor(times, at::kDouble).to(span.end_at.device()) + event_shift;
  span.end_at = at::where(to_mask(events, found), found, span.end_at);
  return span;
}

Mask FrozenSolve::active(std::size_t number) const {
  Mask active(mesh_.taken.size());
  for (std::size_t b = 0; b < active.size(); ++b) active[b] = number < mesh_.taken[b];
  return active;
}

// Whether these outputs are where the steps end, so that they are the next state itself.
bool FrozenSolve::ends_at(std::size_t number, const Columns& columns) const {
  for (std::size_t n = 0; n < columns.size(); ++n) {
    const Place end = place(n, number, /*end=*/true);
    if (is_event(columns[n])) return false;
    if (columns[n] >= 0 && !(end.fraction == 1.0 && end.to == columns[n])) return false;
  }
  return true;
}

// The number of each sample's event in this step, one after the last if it has none; empty if no sample has.
std::vector<std::size_t> FrozenSolve::events_in(std::size_t number) const {
  std::vector<std::size_t> events;
  bool any = false;
  for (std::size_t n = 0; n < mesh_.clocks.size(); ++n) {
    const MeshStep* step = at(n, number);
    const bool has = step != nullptr && step->event;
    events.push_back(has ? step->event->event : problem_->events.size());
    any |= has;
  }
  return any ? events : std::vector<std::size_t>{};
}

at::Tensor FrozenSolve::probe(const at::Tensor& carry) const {
  const at::Tensor y = carry_.state(carry);
  const Slope f(problem_->field);
  const at::Tensor t = as_time(schedule_.starts(), mesh_.joint, y);
  at::Tensor slope = f(t, y);
  if (!problem_->jump && problem_->events.empty()) return slope;
  const auto flat = [](const at::Tensor& part) { return part.reshape({part.size(0), -1}); };
  State all{flat(slope)};
  if (problem_->jump) all.push_back(flat(problem_->jump(Columns(clocks(), 0), t, y)));
  for (const FlatEvent& event : problem_->events) {
    all.push_back(flat(event.when(t, y)).to(slope.scalar_type()));
    if (event.then) all.push_back(flat(event.then(t, y)));
  }
  return at::cat(all, 1);
}

// Whose state or f is not what the step before led to.
Mask FrozenSolve::anew(const Numbers& numbers) const {
  Mask anew(mesh_.taken.size());
  for (std::size_t b = 0; b < anew.size(); ++b) {
    const std::size_t n = mesh_.clock_of(b);
    const MeshStep* step = at(n, numbers[n]);
    anew[b] = numbers[n] == 0 || (step != nullptr && step->start.fraction == 0.0 &&
                                  (step->start.from == Place::kEvent || schedule_.is_jump(step->start.from)));
  }
  return anew;
}

// The state after the jumps that are where this step starts.
at::Tensor FrozenSolve::jump(const Numbers& numbers, const at::Tensor& y, const at::Tensor& shift) const {
  if (!problem_->jump) return y;
  std::vector<Place> starts;
  Mask jumps(mesh_.taken.size());
  for (std::size_t n = 0; n < numbers.size(); ++n) starts.push_back(place(n, numbers[n], /*end=*/false));
  for (std::size_t b = 0; b < jumps.size(); ++b) {
    const std::size_t n = mesh_.clock_of(b);
    jumps[b] = at(n, numbers[n]) != nullptr && numbers[n] < mesh_.taken[b] && starts[n].fraction == 0.0 &&
               starts[n].from >= 0 && schedule_.is_jump(starts[n].from);
  }
  if (!jumps.any()) return y;
  Columns columns;
  for (const Place& start : starts) {
    const bool is_jump = start.fraction == 0.0 && start.from >= 0 && schedule_.is_jump(start.from);
    columns.push_back(is_jump ? start.from - schedule_.outputs() : -1);
  }
  return select_rows(jumps, problem_->jump(columns, against(schedule_.at_places(starts, shift), y), y), y);
}

// The state after these events, which are at the end of `output`.
at::Tensor FrozenSolve::happen(const std::vector<std::size_t>& events, const Span& output,
                               const at::Tensor& y) const {
  at::Tensor after = y;
  for (std::size_t e = 0; e < problem_->events.size(); ++e) {
    Mask own(events.size());
    for (std::size_t b = 0; b < own.size(); ++b) own[b] = events[b] == e;
    const StateMap& then = problem_->events[e].then;
    if (then && own.any()) after = select_rows(own, then(against(output.end_at, y), y), after);
  }
  return after;
}

void FrozenSolve::expect_solved(const Stages& stages, const Mask& moves) {
  for (std::size_t b = 0; b < stages.unsolved.size(); ++b) {
    TORCH_CHECK(
        !(stages.unsolved[b] && moves[b]),
        "f: expected the stages of a step to be found again when it is taken again, but those of sample ", b,
        " were not: something that f reads has been edited since, or it is random");
  }
}

State FrozenSolve::step(std::size_t number, const at::Tensor& carry) const {
  const at::Tensor before = carry_.state(carry);
  const at::Tensor shift = carry_.shift(carry);
  const at::Tensor y = jump(all(number), before, shift);
  const Mask moves = active(number);
  Slope f(problem_->field, /*independent=*/true);
  f.keep(moves);
  const Stepper stepper(problem_->method, problem_->tolerance);
  std::vector<std::vector<std::int64_t>> wanted;
  bool dense = false;
  for (std::size_t i = 0; i < outputs_inside(number); ++i) {
    wanted.push_back(columns(number, i));
    dense |= !ends_at(number, wanted.back());
  }
  const Span whole = span(all(number), shift, records_times());
  const std::vector<at::Tensor> memory = stepper.begin(f, whole, y, anew(all(number)), carry_.memory(carry));
  const Stages stages = stepper.take(f, whole, y, memory, {}, /*all=*/dense && stepper.has_interpolant());
  expect_solved(stages, moves);
  const std::vector<std::size_t> events = events_in(number);
  const at::Tensor moved = events.empty() ? at::Tensor() : event_shift(events, number, whole, y, stages);

  const auto held = [&](const at::Tensor& to, const at::Tensor& else_) {
    return moves.all() ? to : at::where(to_mask(moves, else_), to, else_);
  };
  at::Tensor next = stages.next;
  State outputs;
  for (const auto& columns : wanted) {
    if (ends_at(number, columns)) {
      outputs.push_back(carry_.pack(held(stages.next, before)));
      continue;
    }
    const Span output = output_span(number, columns, shift, moved);
    Mask here(columns.size());
    Mask event(columns.size());
    for (std::size_t n = 0; n < columns.size(); ++n) {
      here[n] = columns[n] >= 0;
      event[n] = is_event(columns[n]);
    }
    const at::Tensor there = stepper.inside(f, whole, output, y, stages, here);
    if (!event.any()) {
      outputs.push_back(carry_.pack(held(there, before)));
      continue;
    }
    outputs.push_back(carry_.pack(held(there, before), {}, at::where(to_mask(event, moved), moved, 0.0)));
    next = at::where(to_mask(event, next), happen(events, output, there), next);
  }
  at::Tensor later = shift;
  if (!events.empty()) {
    Mask hit(events.size());
    for (std::size_t b = 0; b < hit.size(); ++b) hit[b] = events[b] < problem_->events.size();
    later = at::where(to_mask(hit, shift), moved, shift);
  }
  State remembered;
  for (std::size_t i = 0; i < memory.size(); ++i)
    remembered.push_back(held(stages.next_memory[i], memory[i]));
  outputs.insert(outputs.begin(), carry_.pack(held(next, before), remembered, later));
  if (saves(number)) outputs.push_back(outputs[0]);
  return outputs;
}

bool FrozenSolve::can_go_back() const {
  const ode::Stepping* stepping = problem_->method.stepping();
  return stepping != nullptr && stepping->back && !schedule_.has_jumps() && problem_->events.empty();
}

at::Tensor FrozenSolve::back(std::size_t number, const at::Tensor& carry) const {
  const Mask moves = active(number);
  Slope f(problem_->field, /*independent=*/true);
  f.keep(moves);
  const at::Tensor after = carry_.state(carry);
  ode::Stepped before =
      Stepper(problem_->method).back(f, span(all(number), {}, records_times()), after, carry_.memory(carry));
  const at::Tensor taken_back = carry_.pack(before.y, before.memory);
  return moves.all() ? taken_back : at::where(to_mask(moves, carry), taken_back, carry);
}

State FrozenSolve::gradients(std::size_t number, const at::Tensor& gradient) const {
  State parts;
  for (std::size_t i = 0; i < outputs_in(number); ++i) {
    const std::vector<std::int64_t> wanted = columns(number, i);
    Mask there(mesh_.taken.size());
    std::vector<std::int64_t> column(there.size());
    for (std::size_t b = 0; b < there.size(); ++b) {
      const std::int64_t of_clock = wanted[mesh_.clock_of(b)];
      there[b] = of_clock >= 0 && number < mesh_.taken[b];
      column[b] = std::max<std::int64_t>(of_clock, 0);
    }
    if (mesh_.joint && there.all()) {
      parts.push_back(gradient.select(1, wanted[0]));
      continue;
    }
    const at::Tensor rows = at::arange(gradient.size(0), gradient.options().dtype(at::kLong));
    const at::Tensor picked =
        at::index(gradient, {rows, at::tensor(column, at::kLong).to(gradient.device())});
    parts.push_back(at::where(to_mask(there, picked), picked, at::zeros_like(picked)));
  }
  return parts;
}

at::Tensor FrozenSolve::collect(const State& outputs) const {
  const std::size_t batch = mesh_.taken.size();
  const std::int64_t missing = static_cast<std::int64_t>(outputs.size());
  std::vector<std::int64_t> from(batch * mesh_.columns, missing);
  bool in_order = true;
  for (std::size_t b = 0; b < batch; ++b) {
    const std::size_t clock = mesh_.clock_of(b);
    from[b * mesh_.columns] = 0;
    std::int64_t next = 1;
    for (std::size_t number = 0; number < steps_; ++number) {
      const MeshStep* step = at(clock, number);
      const bool takes = step != nullptr && number < mesh_.taken[b];
      for (std::size_t i = 0; takes && i < step->outputs.size(); ++i) {
        from[b * mesh_.columns + step->outputs[i]] = next + static_cast<std::int64_t>(i);
      }
      next += static_cast<std::int64_t>(outputs_in(number));
      if (takes && saves(number)) from[b * mesh_.columns + saved_column(number)] = next - 1;
    }
    for (std::int64_t k = 0; k < mesh_.columns; ++k) in_order &= from[b * mesh_.columns + k] == k;
  }
  if (in_order) return at::stack(outputs, 1);
  State all = outputs;
  all.push_back(at::full_like(outputs[0], std::numeric_limits<double>::quiet_NaN()).detach());
  const at::Tensor index = at::tensor(from, at::kLong)
                               .view({static_cast<std::int64_t>(batch), mesh_.columns})
                               .to(outputs[0].device());
  const at::Tensor rows = at::arange(static_cast<std::int64_t>(batch), index.options()).unsqueeze(1);
  return at::index(at::stack(all, 0), {index, rows});
}

}  // namespace stillpoint::detail
