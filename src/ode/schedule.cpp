#include "ode/schedule.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/rows/rows.h"
#include "stillpoint/ode/times.h"

namespace stillpoint {

ode::Times::Times(std::initializer_list<double> list) : Times(std::vector<double>(list)) {}
ode::Times::Times(const std::vector<double>& list) : values(at::tensor(list, at::kDouble)) {}
ode::Times::Times(at::Tensor tensor) : values(std::move(tensor)) {}

namespace detail {
namespace {

void check_row(const std::vector<double>& row, const std::string& what) {
  bool rises = true;
  bool falls = true;
  for (std::size_t k = 0; k < row.size(); ++k) {
    TORCH_CHECK(std::isfinite(row[k]), what, ": expected finite times, got ", row[k], " as number ", k);
    rises &= k == 0 || row[k] >= row[k - 1];
    falls &= k == 0 || row[k] <= row[k - 1];
  }
  TORCH_CHECK(rises || falls, what, ": expected times that rise or fall all along; they turn round");
}

void check_times(const std::string& name, const at::Tensor& times, std::int64_t batch,
                 std::int64_t at_least) {
  TORCH_CHECK(times.defined() && (times.dim() == 1 || times.dim() == 2) && times.size(-1) >= at_least, name,
              ": expected times [T] or [B, T]", at_least > 0 ? ", at least one" : "", ", got ",
              times.defined() ? c10::str("shape ", times.sizes()) : std::string("an undefined tensor"));
  TORCH_CHECK(times.dim() == 1 || times.size(0) == batch, name,
              ": expected one row of times for each of the ", batch, " samples of y0, got shape ",
              times.sizes());
  TORCH_CHECK(at::isFloatingType(times.scalar_type()), name, ": expected floating-point times, got ",
              times.scalar_type());
  check_no_transform(name.c_str(), times);
}

// In double, a row for each sample if they have their own clocks.
at::Tensor as_rows(const at::Tensor& times, std::int64_t batch, bool per_sample, const c10::Device& device) {
  const at::Tensor wide = times.to(device, at::kDouble);
  return per_sample && wide.dim() == 1 ? wide.expand({batch, wide.size(0)}) : wide;
}

// The largest number of a real dtype below `time`, or the least one that is not.
double in_dtype(double time, at::ScalarType dtype, bool below) {
  const auto rounded = [dtype](double x) {
    return at::scalar_tensor(x, at::TensorOptions().dtype(dtype)).item<double>();
  };
  if (dtype == at::kDouble)
    return below ? std::nextafter(time, -std::numeric_limits<double>::infinity()) : time;
  const double least = std::max(std::abs(time), 1e-30) * std::numeric_limits<float>::epsilon() / 4;
  double found = rounded(time);
  for (double move = least; below ? found >= time : found < time; move *= 2)
    found = rounded(time + (below ? -move : move));
  return found;
}

}  // namespace

Schedule::Schedule(const at::Tensor& times, const at::Tensor& jumps, std::int64_t batch, bool per_sample,
                   bool stop_at_outputs, const at::TensorOptions& state)
    : per_sample_(per_sample), state_type_(c10::toRealValueType(c10::typeMetaToScalarType(state.dtype()))) {
  check_times("t", times, batch, 1);
  outputs_ = times.size(-1);
  times_ = as_rows(times, batch, per_sample, state.device());
  if (jumps.defined()) {
    check_times("jumps.times", jumps, batch, 0);
    times_ = at::cat({times_, as_rows(jumps, batch, per_sample, state.device())}, -1);
  }
  const std::vector<double> all = to_host(times_.contiguous());
  const auto columns = static_cast<std::size_t>(times_.size(-1));
  for (std::size_t first = 0; first < all.size(); first += columns) {
    const auto begin = all.begin() + static_cast<std::int64_t>(first);
    check_row({begin, begin + outputs_}, times.dim() == 1 ? "t" : c10::str("t[", rows_.size(), "]"));
    rows_.emplace_back(begin, begin + static_cast<std::int64_t>(columns));
    direction_.push_back(rows_.back()[outputs_ - 1] >= rows_.back()[0] ? 1.0 : -1.0);
  }
  plan_stops(stop_at_outputs);
}

void Schedule::plan_stops(bool stop_at_outputs) {
  for (std::size_t n = 0; n < rows_.size(); ++n) {
    const std::vector<double>& row = rows_[n];
    const double sign = direction_[n];
    std::vector<std::int64_t> stops;
    for (std::int64_t k = 1; k < outputs_; ++k) {
      if (stop_at_outputs || k + 1 == outputs_) stops.push_back(k);
    }
    for (std::size_t k = outputs_; k < row.size(); ++k) {
      TORCH_CHECK(!std::isnan(row[k]), "jumps.times: expected no NaN, got one as number ", k - outputs_);
      if (sign * row[k] >= sign * row[0] && sign * row[k] < sign * row[outputs_ - 1])
        stops.push_back(static_cast<std::int64_t>(k));
    }
    std::stable_sort(stops.begin(), stops.end(),
                     [&](std::int64_t a, std::int64_t b) { return sign * row[a] < sign * row[b]; });
    std::vector<std::int64_t>& next = next_.emplace_back(row.size(), -1);
    std::int64_t column = 0;
    for (const std::int64_t stop : stops) column = next[column] = stop;
  }
}

double Schedule::time(std::size_t clock, const Place& place) const {
  const double from = place.from == Place::kEvent ? place.event : rows_[clock][place.from];
  if (place.fraction == 0.0) return from;
  const double to = rows_[clock][place.to];
  if (place.fraction == 1.0) return to;
  return from + place.fraction * (to - from);
}

std::vector<double> Schedule::starts() const {
  std::vector<double> starts;
  for (const auto& row : rows_) starts.push_back(row[0]);
  return starts;
}

double Schedule::told(std::size_t clock, const Place& place) const {
  const double time = this->time(clock, place);
  const bool starts = place.fraction == 0.0 && place.from >= 0 && is_jump(place.from);
  const bool ends = place.fraction == 1.0 && is_jump(place.to);
  if (!starts && !ends) return time;
  const auto [least, most] = std::minmax(rows_[clock][0], rows_[clock][outputs_ - 1]);
  return std::clamp(in_dtype(time, state_type_, ends == (direction_[clock] > 0.0)), least, most);
}

at::Tensor Schedule::at_columns(const std::vector<std::int64_t>& columns) const {
  if (!per_sample_) return times_.select(0, columns[0]);
  const at::Tensor index = at::tensor(columns, at::kLong).to(times_.device()).unsqueeze(1);
  return times_.gather(1, index).squeeze(1);
}

at::Tensor Schedule::at_places(const std::vector<Place>& places, const at::Tensor& shift) const {
  std::vector<std::int64_t> from;
  std::vector<std::int64_t> to;
  std::vector<double> fractions;
  std::vector<double> event;
  Mask after_event(places.size());
  for (std::size_t n = 0; n < places.size(); ++n) {
    const Place& place = places[n];
    after_event[n] = place.from == Place::kEvent;
    // A whole number of the way is that hard time itself, also to the bit.
    const std::int64_t begin = after_event[n] ? place.to : place.from;
    from.push_back(place.fraction == 1.0 ? place.to : begin);
    to.push_back(place.fraction == 0.0 ? begin : place.to);
    fractions.push_back(place.fraction);
    event.push_back(place.event);
    if (place.fraction == 1.0) after_event[n] = 0;
  }
  at::Tensor begin = at_columns(from);
  at::Tensor end = at_columns(to);
  if (after_event.any()) {
    const at::Tensor mask = to_mask(after_event, begin);
    begin = at::where(mask, at::tensor(event, at::kDouble).to(times_.device()) + shift, begin);
    Mask stays = after_event;
    for (std::size_t n = 0; n < stays.size(); ++n) stays[n] &= fractions[n] == 0.0;
    end = at::where(to_mask(stays, end), begin, end);
  }
  const at::Tensor fraction = per_sample_
                                  ? at::tensor(fractions, at::kDouble).to(times_.device())
                                  : at::scalar_tensor(fractions[0], times_.options().requires_grad(false));
  return begin + fraction * (end - begin);
}

}  // namespace detail
}  // namespace stillpoint
