#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "ode/carry.h"
#include "ode/frozen_solve.h"
#include "ode/integrate.h"
#include "ode/problem.h"
#include "stillpoint/ode/gradient.h"
#include "stillpoint/ode/options.h"
#include "stillpoint/ode/solution.h"

namespace stillpoint::detail {

/// A solve for a gradient rule. Shares it, and lives as long.
ode::Frozen freeze(const std::shared_ptr<const FrozenSolve>& solve, const Carry& carry, const at::Tensor& y0,
                   const at::Tensor& values, const at::Tensor& times, const Integration& found);

/// Adds what rules need that solve an equation of their own.
void add_equation(ode::Frozen& frozen, const FrozenSolve& solve, const Problem& problem,
                  const OdeintOptions& options, ode::Stats& stats);

}  // namespace stillpoint::detail
