#pragma once

#include <functional>
#include <vector>

#include "stillpoint/core/linear_solver.h"
#include "stillpoint/core/monitor.h"

namespace stillpoint::detail {

/// Asked after each step, with the residual of each sample; false ends the iteration.
using Promising = std::function<bool(const Monitor& monitor, const RowNorms& norms)>;

Solution<at::Tensor> neumann_iteration(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                       const ResolvedTolerance& tolerance, std::int64_t max_iterations,
                                       const Promising& promising);

}  // namespace stillpoint::detail
