#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "ode/integrate.h"
#include "ode/problem.h"
#include "ode/schedule.h"
#include "stillpoint/ode/options.h"

namespace stillpoint::detail {

/// Outputs and events of a solve as carries, `[B, T + E, N + M]`, with the derivatives that a gradient rule
/// gives to the segments between events and jumps. The ends of all steps have been saved. Sets the report of
/// the backward pass.
at::Tensor differentiate_by_segments(const std::shared_ptr<const Problem>& problem, const at::Tensor& y0,
                                     const Schedule& schedule, const OdeintOptions& options,
                                     Integration& found);

}  // namespace stillpoint::detail
