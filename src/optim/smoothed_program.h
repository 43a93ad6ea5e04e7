#pragma once

#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::detail {

/// The program with ε/2 |x|² added to its objective.
optim::QuadraticProgram with_ridge(const optim::QuadraticProgram& program, const optim::Ridge& ridge);

/// The mean of the solutions of perturbed programs.
optim::ProgramSolution solve_perturbed(const optim::QuadraticProgram& program,
                                       const QuadraticProgramOptions& options);

}  // namespace stillpoint::detail
