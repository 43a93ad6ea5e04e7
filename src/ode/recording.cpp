#include "ode/recording.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Recording::Recording(const Schedule& schedule, const at::Tensor& y0, bool joint,
                     std::optional<std::int64_t> states)
    : schedule_(schedule),
      keep_mesh_(states.has_value()),
      most_states_(static_cast<std::size_t>(states.value_or(0))),
      steps_(schedule.clocks(), 0),
      event_times_(y0.size(0)),
      output_(schedule.clocks(), 1) {
  mesh_.joint = joint;
  mesh_.clocks.resize(schedule.clocks());
  std::vector<std::int64_t> shape = y0.sizes().vec();
  shape.insert(shape.begin() + 1, schedule.outputs());
  values_ = at::full(shape, kNaN, y0.options());
  values_.select(1, 0).copy_(y0);
}

void Recording::add(std::size_t clock, MeshStep step) {
  const double sign = schedule_.direction(clock);
  const double end = step.event ? step.event->time : schedule_.time(clock, step.end);
  const bool last = !step.event && schedule_.ends(clock, step.end);
  std::int64_t& output = output_[clock];
  while (output < schedule_.outputs() && (last || sign * schedule_.time(clock, output) <= sign * end))
    step.outputs.push_back(output++);
  if (step.event) {
    step.outputs.push_back(schedule_.outputs() + static_cast<std::int64_t>(event_times_[clock].size()));
  }
  if (!keep_mesh_) mesh_.clocks[clock].clear();
  mesh_.clocks[clock].push_back(std::move(step));
  ++steps_[clock];
}

// Whether the start of the step of this number is to be kept. If too many are, every second one goes.
bool Recording::is_next(std::size_t number) {
  if (most_states_ == 0) return false;
  while (number % every_ == 0 && number / every_ >= most_states_) {
    every_ *= 2;
    for (std::size_t i = 1; 2 * i < states_.size(); ++i) states_[i] = states_[2 * i];
    states_.resize((states_.size() + 1) / 2);
  }
  return number % every_ == 0;
}

void Recording::remember(const Mask& moving, const at::Tensor& y) {
  if (mesh_.joint) {
    if (is_next(steps_[0] - 1)) states_.push_back(y);
    return;
  }
  for (std::size_t b = 0; b < moving.size(); ++b) {
    if (!moving[b]) continue;
    const std::size_t number = steps_[b] - 1;
    if (!is_next(number)) continue;
    const std::size_t place = number / every_;
    if (place == states_.size()) states_.push_back(at::empty_like(y));
    const auto row = static_cast<std::int64_t>(b);
    states_[place].select(0, row).copy_(y.select(0, row));
  }
}

void Recording::save(std::size_t every, const Mask& moving, const at::Tensor& carry) {
  for (std::size_t b = 0; b < moving.size(); ++b) {
    const std::size_t number = steps_[mesh_.clock_of(b)];
    if (!moving[b] || number % every != 0) continue;
    const std::size_t place = number / every - 1;
    if (mesh_.joint && moving.all()) {
      saved_.push_back(carry);
      return;
    }
    if (place == saved_.size()) saved_.push_back(at::full_like(carry, kNaN));
    const auto row = static_cast<std::int64_t>(b);
    saved_[place].select(0, row).copy_(carry.select(0, row));
  }
}

void Recording::write(const std::vector<std::int64_t>& columns, const at::Tensor& state,
                      const Mask& samples) {
  const at::Tensor rows = state.contiguous();
  const bool here = rows.is_cpu();
  if (!here && mesh_.joint && samples.all()) {
    values_.select(1, columns[0]).copy_(state);
    return;
  }
  const std::size_t bytes = row_width(state) * state.element_size();
  const auto* from = static_cast<const char*>(rows.data_ptr());
  auto* to = static_cast<char*>(values_.data_ptr());
  for (std::size_t b = 0; b < samples.size(); ++b) {
    const std::int64_t column = columns[mesh_.clock_of(b)];
    if (!samples[b] || column < 0 || column >= schedule_.outputs()) continue;
    if (here) {
      std::memcpy(to + (b * schedule_.outputs() + column) * bytes, from + b * bytes, bytes);
    } else {
      const auto row = static_cast<std::int64_t>(b);
      values_.select(0, row).select(0, column).copy_(state.select(0, row));
    }
  }
}

void Recording::write_event(const Mask& samples, const std::vector<double>& times, const at::Tensor& state) {
  for (std::size_t b = 0; b < samples.size(); ++b) {
    if (!samples[b]) continue;
    const std::size_t number = event_times_[b].size();
    event_times_[b].push_back(times[b]);
    if (number == event_states_.size()) event_states_.push_back(at::full_like(state, kNaN));
    const auto row = static_cast<std::int64_t>(b);
    event_states_[number].select(0, row).copy_(state.select(0, row));
  }
}

Mesh Recording::mesh(std::vector<std::size_t> taken) {
  mesh_.taken = std::move(taken);
  mesh_.columns = schedule_.outputs() + static_cast<std::int64_t>(event_states_.size());
  return std::move(mesh_);
}

// A sample that has taken all its steps stands still where the last one led.
std::vector<at::Tensor> Recording::states(const std::vector<std::size_t>& taken, const at::Tensor& y) {
  for (std::size_t place = 0; !mesh_.joint && place < states_.size(); ++place) {
    for (std::size_t b = 0; b < taken.size(); ++b) {
      const auto row = static_cast<std::int64_t>(b);
      if (place * every_ >= taken[b]) states_[place].select(0, row).copy_(y.select(0, row));
    }
  }
  return std::move(states_);
}

at::Tensor Recording::values() const {
  if (event_states_.empty()) return values_;
  return at::cat({values_, at::stack(event_states_, 1)}, 1);
}

}  // namespace stillpoint::detail
