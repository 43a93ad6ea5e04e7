#pragma once

#include <cstdint>

#include "optim/qp/instance.h"

namespace stillpoint::detail {

/// Solves one program: looks at its data, tries the active set of `start` if there is one, takes dependent
/// equalities out, scales it, goes inside and polishes, or follows the barrier if μ > 0.
Outcome solve_instance(const Instance& program, const InstanceOptions& options, double mu = 0.0,
                       const Outcome* start = nullptr);

}  // namespace stillpoint::detail
