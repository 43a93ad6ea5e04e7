#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "ode/problem.h"
#include "stillpoint/ode/options.h"
#include "stillpoint/ode/solution.h"
#include "stillpoint/ode/times.h"

namespace stillpoint::detail {

/// Solves a problem from y0 and gives the solution its derivatives.
ode::Solution<at::Tensor> solve(const std::shared_ptr<const Problem>& problem, const at::Tensor& y0,
                                const ode::Times& t, const OdeintOptions& options);

}  // namespace stillpoint::detail
