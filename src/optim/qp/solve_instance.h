#pragma once

#include <cstdint>

#include "optim/qp/instance.h"

namespace stillpoint::detail {

/// What a solve of one program is asked for.
struct InstanceOptions {
  double tolerance = 0.0;  ///< of `Measure`
  double rounding =
      0.0;  ///< of the data: how negative an eigenvalue of Q may be, as part of its largest entry
  std::int64_t max_iterations = 0;
};

/// Solves one program: looks at its data, tries the active set of `start` if there is one, takes dependent
/// equalities out, scales it, goes inside and polishes, or follows the barrier if μ > 0.
Outcome solve_instance(const Instance& program, const InstanceOptions& options, double mu = 0.0,
                       const Outcome* start = nullptr);

}  // namespace stillpoint::detail
