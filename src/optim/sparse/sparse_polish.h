#pragma once

#include <memory>

#include "optim/sparse/active_set.h"

namespace stillpoint::detail {

/// As `polish` of dense programs. Optimal, with the active set returned, or inaccurate with the point that
/// the outcome had, and null.
std::shared_ptr<const ActiveSet> polish(const SparseInstance& program, double tolerance, Outcome& outcome);

}  // namespace stillpoint::detail
