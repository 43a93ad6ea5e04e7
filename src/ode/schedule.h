#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace stillpoint::detail {

/// Where a time lies: a fraction of the way between two outputs that steps end at. The fraction is what a
/// frozen solve keeps, so that the time follows those outputs.
struct Place {
  std::int64_t from = 0;  ///< column of the times
  std::int64_t to = 0;
  double fraction = 0.0;
};

/// The times of a solve: one row for all samples, or one for each.
class Schedule {
 public:
  /// `times` is `[T]`, or `[B, T]` where each sample has its own clock.
  Schedule(const at::Tensor& times, std::int64_t batch, bool per_sample, bool stop_at_outputs,
           const at::TensorOptions& state);

  std::size_t clocks() const { return rows_.size(); }
  std::int64_t outputs() const { return outputs_; }
  double time(std::size_t clock, std::int64_t column) const { return rows_[clock][column]; }
  double time(std::size_t clock, const Place& place) const;
  /// 1 if the times of this clock rise, else −1.
  double direction(std::size_t clock) const { return rows_[clock].back() >= rows_[clock].front() ? 1 : -1; }
  /// The column of the next output that steps end at.
  std::int64_t next_stop(std::int64_t column) const { return stop_at_outputs_ ? column + 1 : outputs_ - 1; }
  /// With their graph; see ode::Times.
  const at::Tensor& times() const { return times_; }
  /// Whether derivatives in the times are wanted.
  bool differentiable() const { return times_.requires_grad(); }

  /// The time at a place, or of a column, for each clock: in double, with its graph; [] or [B].
  at::Tensor at_places(const std::vector<Place>& places) const;
  at::Tensor at_columns(const std::vector<std::int64_t>& columns) const;

 private:
  at::Tensor times_;
  bool per_sample_;
  bool stop_at_outputs_;
  std::int64_t outputs_;
  std::vector<std::vector<double>> rows_;
};

}  // namespace stillpoint::detail
