#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace stillpoint::detail {

/// Where a time lies: a fraction of the way between two hard times, which are outputs that steps end at,
/// jumps, and events. The fraction is what a frozen solve keeps, so that the time follows those.
struct Place {
  static constexpr std::int64_t kEvent = -1;

  std::int64_t from = 0;  ///< column of the hard times; or kEvent
  std::int64_t to = 0;
  double fraction = 0.0;
  double event = 0.0;  ///< for kEvent: the time of the latest event, as it was found
};

/// The hard times of a solve: one row for all samples, or one for each. The columns are those of the outputs,
/// then the jumps.
class Schedule {
 public:
  /// `times` is `[T]`, or `[B, T]` where each sample has its own clock; `jumps` likewise, or undefined.
  Schedule(const at::Tensor& times, const at::Tensor& jumps, std::int64_t batch, bool per_sample,
           bool stop_at_outputs, const at::TensorOptions& state);

  bool per_sample() const { return per_sample_; }
  std::size_t clocks() const { return rows_.size(); }
  std::int64_t outputs() const { return outputs_; }
  bool has_jumps() const { return times_.size(-1) > outputs_; }
  bool is_jump(std::int64_t column) const { return column >= outputs_; }
  double time(std::size_t clock, std::int64_t column) const { return rows_[clock][column]; }
  double time(std::size_t clock, const Place& place) const;
  /// The first time of each clock.
  std::vector<double> starts() const;
  /// What f is told at a place, whose end of a step it is: before or after a jump where there is one.
  double told(std::size_t clock, const Place& place) const;
  /// 1 if the times of this clock rise, else −1.
  double direction(std::size_t clock) const { return direction_[clock]; }
  /// The column of the hard time after this one; −1 after the last output.
  std::int64_t next_stop(std::size_t clock, std::int64_t column) const { return next_[clock][column]; }
  /// Whether no step follows this place.
  bool ends(std::size_t clock, const Place& place) const {
    return place.fraction == 1.0 && next_stop(clock, place.to) < 0;
  }
  /// Of the hard times, with their graph: as given, in double.
  const at::Tensor& times() const { return times_; }

  /// The time at a place, or of a column, for each clock: in double, with its graph; [] or [B]. `shift` is
  /// what the times of the latest events have to be moved by to have their graph, [B]; or undefined.
  at::Tensor at_places(const std::vector<Place>& places, const at::Tensor& shift) const;

 private:
  at::Tensor at_columns(const std::vector<std::int64_t>& columns) const;
  void plan_stops(bool stop_at_outputs);

  at::Tensor times_;
  bool per_sample_;
  std::int64_t outputs_;
  at::ScalarType state_type_;
  std::vector<std::vector<double>> rows_;
  std::vector<double> direction_;
  std::vector<std::vector<std::int64_t>> next_;
};

}  // namespace stillpoint::detail
