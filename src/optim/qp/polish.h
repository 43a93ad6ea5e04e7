#pragma once

#include "optim/qp/instance.h"

namespace stillpoint::detail {

/// Takes an outcome near a solution to that of its active set, solved exactly: the rows with larger dual than
/// slack, corrected while a dual is negative or a row is violated. Optimal, with the active set and its
/// factor, if the result is within the tolerance; else inaccurate, with the point that it had.
void polish(const Instance& program, double tolerance, Outcome& outcome);

}  // namespace stillpoint::detail
