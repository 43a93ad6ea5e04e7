#pragma once

#include "network.h"
#include "stillpoint/optim/program_solution.h"

namespace stillpoint::app {

/// What solving a batch of programs cost, in iterations of the slowest sample, with the backward pass after
/// it.
SolveCost cost_of(const optim::ProgramStats& stats);

}  // namespace stillpoint::app
