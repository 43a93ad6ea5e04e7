#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ode/slope.h"
#include "ode/span.h"
#include "ode/stage_solver.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/ode/tableau.h"

namespace stillpoint::detail {

/// A step that was taken: where from, by which slopes, and where it leads.
struct Stages {
  at::Tensor start;  ///< y, as the sums of the step share it
  std::vector<at::Tensor> slopes = {};
  at::Tensor next = {};
  Mask unsolved = {};  ///< samples of which an implicit stage was not found: NaN; empty without such stages
  // Of a method that is no tableau:
  std::vector<at::Tensor> memory = {};       ///< at the start
  std::vector<at::Tensor> next_memory = {};  ///< at the end
  at::Tensor error = {};
};

/// A step of a Runge–Kutta method from a state. `first` is the slope at the start, if it is known; a guess of
/// the first stage where that is implicit. `all` takes the stages that the next state does not need as well:
/// for an error estimate or dense output. `solver` finds implicit stages; null where there are none.
Stages take_step(const ode::Tableau& tableau, const Slope& f, const Span& span, const at::Tensor& from,
                 const at::Tensor& first, bool all, StageSolver* solver);

/// The state at `output`, whose start is the same and whose end is inside the step or at its end, for the
/// clocks where it is wanted. `all` stages must have been taken if the method has dense output.
at::Tensor state_inside(const ode::Tableau& tableau, const Slope& f, const Span& span, const Span& output,
                        const at::Tensor& y, const Stages& stages, const Mask& wanted, StageSolver* solver);

/// The estimate of its error.
at::Tensor step_error(const ode::Tableau& tableau, const Span& span, const Stages& stages);

/// For each sample, its error in units of the tolerance.
std::vector<double> step_errors(const ode::Tableau& tableau, const Span& span, const at::Tensor& y,
                                const Stages& stages, double absolute, double relative);

/// The length of a step, as it broadcasts against y, with the graph of its ends if they have one.
at::Tensor step_length(const Span& span, const at::Tensor& y);

/// The time at a fraction of a step, as f gets it: beside a jump, that of its side.
at::Tensor stage_time(const Span& span, double fraction, const at::Tensor& y);

/// Times in double, `[]` or `[B]`, as they broadcast against y, in its real dtype.
at::Tensor against(const at::Tensor& times, const at::Tensor& y);

/// Times as f gets them for a state like y: without dimensions for one that is joint, else `[B, 1, …]`.
at::Tensor as_time(const std::vector<double>& times, bool joint, const at::Tensor& y);

}  // namespace stillpoint::detail
