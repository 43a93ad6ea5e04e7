#pragma once

#include <memory>

#include "optim/qp/active_set_search.h"
#include "optim/sparse/active_set.h"

namespace stillpoint::detail {

/// `search_active_set` of a sparse program.
std::shared_ptr<const ActiveSet> polish(const SparseInstance& program, const Scales& scales,
                                        const InstanceOptions& options, Patience patience, Outcome& outcome);

}  // namespace stillpoint::detail
