#pragma once

#include <memory>

#include "optim/qp/active_set_search.h"

namespace stillpoint::detail {

/// `search_active_set` of a dense program. `factor` is that of Q, or null; see `EqualityKkt`.
void polish(const Instance& program, const std::shared_ptr<const Matrix>& factor, const Scales& scales,
            const InstanceOptions& options, Patience patience, Outcome& outcome);

}  // namespace stillpoint::detail
