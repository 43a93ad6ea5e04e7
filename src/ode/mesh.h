#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ode/schedule.h"

namespace stillpoint::detail {

/// An event inside a step, which ends it there.
struct EventHit {
  std::size_t event;  ///< its number in the list
  double time;
};

/// An accepted step of one clock, and the columns of the outputs inside it. An event ends the step before
/// `end`; its column comes after those of the times, as many places after as events came before it.
struct MeshStep {
  Place start;
  Place end;
  std::vector<std::int64_t> outputs = {};
  std::optional<EventHit> event = {};
};

/// The accepted steps of a solve.
struct Mesh {
  std::vector<std::vector<MeshStep>> clocks;  ///< one for the batch, or one a sample
  std::vector<std::size_t> taken;             ///< of its clock's steps, by each sample; fewer if it fails
  std::int64_t columns = 0;                   ///< outputs and events
  bool joint = true;

  std::size_t clock_of(std::size_t sample) const { return joint ? 0 : sample; }
};

}  // namespace stillpoint::detail
