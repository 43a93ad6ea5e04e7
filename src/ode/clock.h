#pragma once

#include <cstdint>
#include <optional>

#include "ode/control/step_control.h"
#include "ode/mesh.h"
#include "ode/schedule.h"

namespace stillpoint::detail {

/// One course of steps, of the batch or of one sample.
struct Clock {
  StepControl control;
  std::size_t number;  ///< in the schedule
  Place at = {};       ///< reached
  Place aim = {};      ///< end of the step that is tried
  double time = 0.0;   ///< reached
  std::int64_t accepted = 0;
  std::int64_t rejected = 0;
  bool running = true;

  Clock(const Schedule& schedule, std::size_t n, const StepControl& chosen);

  /// Chooses where the next step ends; a clock that has stopped stands still.
  void choose(const Schedule& schedule);
  /// Moves to the end of the step, or to the event inside it.
  void advance(const Schedule& schedule, const std::optional<EventHit>& hit);
  /// Whether a jump is where the next step starts.
  bool is_at_jump(const Schedule& schedule) const;
};

}  // namespace stillpoint::detail
