#pragma once

#include <cstdint>
#include <vector>

#include "ode/schedule.h"

namespace stillpoint::detail {

/// An accepted step of one clock, and the columns of the outputs inside it.
struct MeshStep {
  Place start;
  Place end;
  std::vector<std::int64_t> outputs = {};
};

/// The accepted steps of a solve.
struct Mesh {
  std::vector<std::vector<MeshStep>> clocks;  ///< one for the batch, or one a sample
  std::vector<std::size_t> taken;             ///< of its clock's steps, by each sample; fewer if it fails
  bool joint = true;

  std::size_t clock_of(std::size_t sample) const { return joint ? 0 : sample; }
};

}  // namespace stillpoint::detail
