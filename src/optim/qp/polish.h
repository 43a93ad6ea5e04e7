#pragma once

#include <cstdint>
#include <memory>

#include "optim/qp/instance.h"
#include "optim/qp/scales.h"

namespace stillpoint::detail {

/// How much a polish is worth: an early one, before the last iterations, gives up where rows are dependent
/// and after a few corrections.
enum class Patience : std::uint8_t { Early, Last };

/// Takes an outcome near a solution to that of its active set, solved exactly: the rows that it names,
/// corrected while a dual is negative or a row is violated. `factor` is that of Q, or null; see
/// `EqualityKkt`. Optimal, with the active set and its factor, if the result is within the tolerance; else
/// inaccurate, with the point that it had.
void polish(const Instance& program, const std::shared_ptr<const Matrix>& factor, const Scales& scales,
            const InstanceOptions& options, Patience patience, Outcome& outcome);

}  // namespace stillpoint::detail
