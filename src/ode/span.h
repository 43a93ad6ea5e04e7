#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ode/schedule.h"

namespace stillpoint::detail {

/// The ends of a step: one number for the batch (joint), or one a sample. Where derivatives in times are
/// wanted, the same as tensors in double with their graph, `[]` or `[B]`; else those are undefined.
struct Span {
  bool joint = true;
  std::vector<double> start = {};
  std::vector<double> end = {};
  at::Tensor start_at = {};
  at::Tensor end_at = {};
  /// What f is told there, beside a jump; empty where there are none.
  std::vector<double> told_start = {};
  std::vector<double> told_end = {};

  Span() = default;
  /// Between two places of each clock.
  Span(const Schedule& schedule, const std::vector<Place>& starts, const std::vector<Place>& ends);
  /// The same with tensors; see Schedule::at_places.
  Span(const Schedule& schedule, const std::vector<Place>& starts, const std::vector<Place>& ends,
       const at::Tensor& shift);
};

}  // namespace stillpoint::detail
