#pragma once

#include "stillpoint/core/linear_solver.h"

namespace stillpoint::detail {

/// The effort of an earlier attempt counts, too.
void add_effort(Stats& stats, const Stats& earlier);

/// Solves for the samples that an earlier attempt did not, from where it ended; what that solved comes back
/// bit by bit. The report is of both.
Solution<at::Tensor> solve_rest(const LinearSolver& solver, const LinearOperator& a, const at::Tensor& b,
                                const ResolvedTolerance& tolerance, const Solution<at::Tensor>& earlier);

}  // namespace stillpoint::detail
