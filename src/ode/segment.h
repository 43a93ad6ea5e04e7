#pragma once

#include <cstdint>
#include <vector>

#include "ode/mesh.h"
#include "ode/schedule.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/ode/solution.h"

namespace stillpoint::detail {

/// What a clock does between two events or jumps.
struct Segment {
  enum class End : std::uint8_t {
    Last,   ///< the last output
    Jump,   ///< a jump
    Event,  ///< an event
    Fail,   ///< no sample came to the end of the solve
    None,   ///< the clock had stopped before
  };

  std::size_t first = 0;  ///< its steps: from this one
  std::size_t last = 0;   ///< to the one before this one
  Place start = {};       ///< where it starts; not known after an event
  End end = End::None;
  std::int64_t column = 0;    ///< of the hard time where it ends
  std::size_t event = 0;      ///< the number of the event in the list
  std::int64_t happened = 0;  ///< how many events came before this one
  double time = 0.0;          ///< where it ends
};

/// The segments of each clock, all equally many.
using Segments = std::vector<std::vector<Segment>>;

Segments segments_of(const Mesh& mesh, const Schedule& schedule, const ode::Stats& stats);

}  // namespace stillpoint::detail
