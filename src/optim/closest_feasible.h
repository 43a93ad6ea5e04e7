#pragma once

#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::detail {

/// Gives the samples of `solution` that are infeasible the x, duals and slack of the program whose sides are
/// changed by the smallest amount in least squares. See `optim::OnInfeasible`.
void fill_closest_feasible(const optim::QuadraticProgram& program, const QuadraticProgramOptions& options,
                           optim::ProgramSolution& solution);

}  // namespace stillpoint::detail
