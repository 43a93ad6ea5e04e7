#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ode/mesh.h"
#include "ode/schedule.h"
#include "ode/slope.h"
#include "stillpoint/ode/options.h"
#include "stillpoint/ode/solution.h"

namespace stillpoint::detail {

/// What a solve found.
struct Integration {
  at::Tensor values;               ///< `[B, T, …]`; NaN where a sample did not come
  std::vector<at::Tensor> states;  ///< where each step starts and the last one ends, if they were to be kept
  Mesh mesh;
  ode::Stats stats;
};

/// Solves dy/dt = f(t, y) from y0, contiguous, with gradients off.
Integration integrate(const Slope& f, const at::Tensor& y0, const Schedule& schedule,
                      const OdeintOptions& options, bool joint, bool keep_states);

}  // namespace stillpoint::detail
