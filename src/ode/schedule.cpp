#include "ode/schedule.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <string>

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

}  // namespace

Schedule::Schedule(const at::Tensor& times, std::int64_t batch, bool per_sample, bool stop_at_outputs,
                   const at::TensorOptions& state)
    : per_sample_(per_sample), stop_at_outputs_(stop_at_outputs) {
  TORCH_CHECK(times.defined() && (times.dim() == 1 || times.dim() == 2) && times.size(-1) > 0,
              "t: expected times [T] or [B, T], at least one, got ",
              times.defined() ? c10::str("shape ", times.sizes()) : std::string("an undefined tensor"));
  TORCH_CHECK(times.dim() == 1 || times.size(0) == batch, "t: expected one row of times for each of the ",
              batch, " samples of y0, got shape ", times.sizes());
  TORCH_CHECK(at::isFloatingType(times.scalar_type()), "t: expected floating-point times, got ",
              times.scalar_type());
  check_no_transform("t", times);
  outputs_ = times.size(-1);
  times_ = times.to(state.device(), at::kDouble);
  if (per_sample && times.dim() == 1) times_ = times_.expand({batch, outputs_});
  const std::vector<double> all = to_host(times);
  for (std::size_t first = 0; first < all.size(); first += outputs_) {
    rows_.emplace_back(all.begin() + static_cast<std::int64_t>(first),
                       all.begin() + static_cast<std::int64_t>(first) + outputs_);
    check_row(rows_.back(), times.dim() == 1 ? "t" : c10::str("t[", rows_.size() - 1, "]"));
  }
  if (per_sample && times.dim() == 1) rows_.resize(batch, std::vector<double>(rows_[0]));
}

double Schedule::time(std::size_t clock, const Place& place) const {
  const double from = rows_[clock][place.from];
  const double to = rows_[clock][place.to];
  if (place.fraction == 0.0) return from;
  if (place.fraction == 1.0) return to;
  return from + place.fraction * (to - from);
}

at::Tensor Schedule::at_columns(const std::vector<std::int64_t>& columns) const {
  if (!per_sample_) return times_.select(0, columns[0]);
  const at::Tensor index = at::tensor(columns, at::kLong).to(times_.device()).unsqueeze(1);
  return times_.gather(1, index).squeeze(1);
}

at::Tensor Schedule::at_places(const std::vector<Place>& places) const {
  std::vector<std::int64_t> from;
  std::vector<std::int64_t> to;
  std::vector<double> fractions;
  for (const Place& place : places) {
    // A whole number of the way is that output itself, also to the bit.
    from.push_back(place.fraction == 1.0 ? place.to : place.from);
    to.push_back(place.fraction == 0.0 ? place.from : place.to);
    fractions.push_back(place.fraction);
  }
  const at::Tensor begin = at_columns(from);
  const at::Tensor fraction = per_sample_
                                  ? at::tensor(fractions, at::kDouble).to(times_.device())
                                  : at::scalar_tensor(fractions[0], times_.options().requires_grad(false));
  return begin + fraction * (at_columns(to) - begin);
}

}  // namespace detail
}  // namespace stillpoint
