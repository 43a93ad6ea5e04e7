#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/ode/options.h"
#include "stillpoint/ode/solution.h"
#include "stillpoint/ode/times.h"
#include "stillpoint/ode/vector_field.h"

namespace stillpoint {
/// Solves dy/dt = f(t, y) from y(t_0) = y0 (`[B, …]`, floating point or complex) and returns y at all times
/// `t`, `[B, T, …]`, y0 first. The result is differentiable in y0, in each time and in everything that f
/// captured. Nothing needs to be listed.
///
/// **Result.** It has the dtype and device of y0. A sample that does not finish has NaN in the outputs that
/// it did not reach; `stats.time` says how far it came. With one time only, nothing is solved: y0 comes back.
///
/// **Steps** are joint by default: one for the batch, which suits its most difficult sample. A sample that
/// fails is held where it was, and the others go on. With `Steps::PerSample`, or times `[B, T]`, each sample
/// has its own. f is never called outside [t_0, t_(T−1)], but for Kvaerno5, whose steps look ahead.
///
/// **Dense output.** Tsit5, Dopri5 and Bosh3 have their own (of order 4, 4, 3). For other methods an output
/// inside a step is a shorter step of the method itself, which has the method's order and costs its stages.
///
/// **Events and jumps** change the state or end the solve on the way; see `ode::Event` and `ode::Jumps`. The
/// solution's `events` holds the times and states, both differentiable. With events, steps are per sample.
///
/// **More than outputs.** With `save`, the solution has the ends of steps in `steps`, and itself at any time
/// in `dense`; see `ode::Save`.
///
/// **Errors.** Not finishing is data, in `stats.status`; see `on_failure`. A c10::Error names the argument if
/// y0 is no floating-point or complex tensor with a batch dimension, if times are not finite or turn round,
/// if an option is out of range, if the method has no error estimate and the control needs one, or if f
/// changes shape, dtype or device, or edits y. What f throws passes through.
///
/// **Cost.** The method's stages a step; time that tensors spend beside f is a few per cent once f takes 50
/// µs. Gradients: see `ode::Discrete` and the other rules.
ode::Solution<at::Tensor> odeint(const ode::VectorField& f, const at::Tensor& y0, const ode::Times& t,
                                 const OdeintOptions& options = {});

/// The same for a state of several tensors, `[B, …]` each with the same B, dtype and device; the result is a
/// list of `[B, T, …]`. Errors are measured over all numbers of a sample together.
ode::Solution<std::vector<at::Tensor>> odeint(const ode::TupleVectorField& f,
                                              const std::vector<at::Tensor>& y0, const ode::Times& t,
                                              const OdeintOptions& options = {});

}  // namespace stillpoint
