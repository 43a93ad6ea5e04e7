#include "ode/frozen_solve.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/rows/rows.h"

namespace stillpoint::detail {

FrozenSolve::FrozenSolve(ode::VectorField field, ode::Method method, Schedule schedule, Mesh mesh)
    : field_(std::move(field)),
      method_(std::move(method)),
      schedule_(std::move(schedule)),
      mesh_(std::move(mesh)) {
  for (const auto& clock : mesh_.clocks) steps_ = std::max(steps_, clock.size());
}

const MeshStep* FrozenSolve::at(std::size_t clock, std::size_t number) const {
  const auto& steps = mesh_.clocks[clock];
  return number < steps.size() ? &steps[number] : nullptr;
}

// A clock that has taken all its steps stands still at the end of the last one.
Place FrozenSolve::place(std::size_t clock, std::size_t number, bool end) const {
  const MeshStep* step = at(clock, number);
  if (step != nullptr) return end ? step->end : step->start;
  return mesh_.clocks[clock].empty() ? Place{} : mesh_.clocks[clock].back().end;
}

std::size_t FrozenSolve::outputs_in(std::size_t number) const {
  std::size_t most = 0;
  for (std::size_t n = 0; n < mesh_.clocks.size(); ++n) {
    if (const MeshStep* step = at(n, number)) most = std::max(most, step->outputs.size());
  }
  return most;
}

// The column of each clock's output of this number inside the step; −1 for a clock that has none.
std::vector<std::int64_t> FrozenSolve::columns(std::size_t number, std::size_t output) const {
  std::vector<std::int64_t> columns;
  for (std::size_t n = 0; n < mesh_.clocks.size(); ++n) {
    const MeshStep* step = at(n, number);
    columns.push_back(step != nullptr && output < step->outputs.size() ? step->outputs[output] : -1);
  }
  return columns;
}

Span FrozenSolve::span_to(std::size_t number, const std::vector<Place>& ends) const {
  Span span{.joint = mesh_.joint};
  std::vector<Place> starts;
  for (std::size_t n = 0; n < mesh_.clocks.size(); ++n) {
    starts.push_back(place(n, number, /*end=*/false));
    span.start.push_back(schedule_.time(n, starts.back()));
    span.end.push_back(schedule_.time(n, ends[n]));
  }
  if (schedule_.differentiable()) {
    span.start_at = schedule_.at_places(starts);
    span.end_at = schedule_.at_places(ends);
  }
  return span;
}

Span FrozenSolve::span(std::size_t number) const {
  std::vector<Place> ends;
  for (std::size_t n = 0; n < mesh_.clocks.size(); ++n) ends.push_back(place(n, number, /*end=*/true));
  return span_to(number, ends);
}

// From the start of the step to the outputs in these columns; to its end for a clock without one.
Span FrozenSolve::output_span(std::size_t number, const std::vector<std::int64_t>& columns) const {
  std::vector<Place> ends;
  for (std::size_t n = 0; n < columns.size(); ++n) {
    ends.push_back(columns[n] < 0 ? place(n, number, /*end=*/true)
                                  : Place{.from = columns[n], .to = columns[n], .fraction = 1.0});
  }
  return span_to(number, ends);
}

Mask FrozenSolve::active(std::size_t number) const {
  Mask active(mesh_.taken.size());
  for (std::size_t b = 0; b < active.size(); ++b) active[b] = number < mesh_.taken[b];
  return active;
}

// Whether these outputs are where the steps end, so that they are the next state itself.
bool FrozenSolve::ends_at(std::size_t number, const std::vector<std::int64_t>& columns) const {
  for (std::size_t n = 0; n < columns.size(); ++n) {
    const Place end = place(n, number, /*end=*/true);
    if (columns[n] >= 0 && !(end.fraction == 1.0 && end.to == columns[n])) return false;
  }
  return true;
}

at::Tensor FrozenSolve::probe(const at::Tensor& y) const {
  const Slope f(field_);
  std::vector<double> start;
  for (std::size_t n = 0; n < schedule_.clocks(); ++n) start.push_back(schedule_.time(n, 0));
  return f(as_time(start, mesh_.joint, y), y);
}

State FrozenSolve::step(std::size_t number, const at::Tensor& y) const {
  const Slope f(field_);
  const ode::Tableau& tableau = method_.tableau();
  std::vector<std::vector<std::int64_t>> wanted;
  bool dense = false;
  for (std::size_t i = 0; i < outputs_in(number); ++i) {
    wanted.push_back(columns(number, i));
    dense |= !ends_at(number, wanted.back());
  }
  const Span whole = span(number);
  const Stages stages = take_step(tableau, f, whole, y, {}, /*all=*/dense && !tableau.interpolant.empty());
  const Mask moves = active(number);
  const auto held = [&](const at::Tensor& to) {
    return moves.all() ? to : at::where(to_mask(moves, y), to, y);
  };
  State state{held(stages.next)};
  for (const auto& columns : wanted) {
    state.push_back(ends_at(number, columns)
                        ? state[0]
                        : held(state_inside(tableau, f, whole, output_span(number, columns), y, stages)));
  }
  return state;
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
  std::vector<std::int64_t> from(batch * schedule_.outputs(), missing);
  bool in_order = true;
  for (std::size_t b = 0; b < batch; ++b) {
    const std::size_t clock = mesh_.clock_of(b);
    from[b * schedule_.outputs()] = 0;
    std::int64_t next = 1;
    for (std::size_t number = 0; number < steps_; ++number) {
      const MeshStep* step = at(clock, number);
      const bool takes = step != nullptr && number < mesh_.taken[b];
      for (std::size_t i = 0; takes && i < step->outputs.size(); ++i) {
        from[b * schedule_.outputs() + step->outputs[i]] = next + static_cast<std::int64_t>(i);
      }
      next += static_cast<std::int64_t>(outputs_in(number));
    }
    for (std::int64_t k = 0; k < schedule_.outputs(); ++k) in_order &= from[b * schedule_.outputs() + k] == k;
  }
  if (in_order) return at::stack(outputs, 1);
  State all = outputs;
  all.push_back(at::full_like(outputs[0], std::numeric_limits<double>::quiet_NaN()).detach());
  const at::Tensor index = at::tensor(from, at::kLong)
                               .view({static_cast<std::int64_t>(batch), schedule_.outputs()})
                               .to(outputs[0].device());
  const at::Tensor rows = at::arange(static_cast<std::int64_t>(batch), index.options()).unsqueeze(1);
  return at::index(at::stack(all, 0), {index, rows});
}

}  // namespace stillpoint::detail
