#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "stillpoint/core/solution.h"
#include "stillpoint/ode/control.h"
#include "stillpoint/ode/gradient.h"
#include "stillpoint/ode/gradients/discrete.h"
#include "stillpoint/ode/method.h"
#include "stillpoint/ode/methods/runge_kutta.h"
#include "stillpoint/ode/solution.h"
#include "stillpoint/ode/times.h"
#include "stillpoint/ode/vector_field.h"

namespace stillpoint {
namespace ode {

/// What an observer sees after each step that was tried. Valid during the call.
struct Progress {
  std::int64_t steps;               ///< tried so far
  const std::vector<double>& time;  ///< reached by each sample
  const at::Tensor& y;              ///< `[B, …]` there, no gradients; do not write to it
};

}  // namespace ode

/// Options of `odeint`. The defaults suit most smooth, non-stiff equations.
struct OdeintOptions {
  ode::Method method = ode::Tsit5{};
  ode::Control control = ode::Pid{};
  ode::GradientRule gradient = ode::Discrete{};
  ode::Tolerance tolerance = {};  ///< of a step; see there for the defaults
  ode::Steps steps = ode::Steps::Joint;
  /// Whether steps end at each output. If not, only the first and last time are ends of steps, outputs between
  /// are read from dense output, and asking for more of them changes no step.
  bool stop_at_outputs = false;
  std::int64_t max_steps = 10000;         ///< ≥ 0, tried ones, of a sample
  std::optional<double> time_limit = {};  ///< ≥ 0, in seconds, checked after each step; empty: none
  OnFailure on_failure = OnFailure::Warn;
  std::function<void(const ode::Progress&)> observer = {};  ///< empty: no observer, no cost
};

/// Solves dy/dt = f(t, y) from y(t_0) = y0 (`[B, …]`, floating point or complex) and returns y at all times
/// `t`, `[B, T, …]`, y0 first. The result is differentiable in y0, in each time and in everything that f
/// captured. Nothing needs to be listed.
///
/// **Result.** It has the dtype and device of y0. A sample that does not finish has NaN in the outputs that it
/// did not reach; `stats.time` says how far it came. With one time only, nothing is solved: y0 comes back.
///
/// **Steps** are joint by default: one for the batch, which suits its most difficult sample. A sample that
/// fails is held where it was, and the others go on. With `Steps::PerSample`, or times `[B, T]`, each sample
/// has its own. f is never called outside [t_0, t_(T−1)].
///
/// **Dense output.** Tsit5, Dopri5 and Bosh3 have their own (of order 4, 4, 3). For other methods an output
/// inside a step is a shorter step of the method itself, which has the method's order and costs its stages.
///
/// **Errors.** Not finishing is data, in `stats.status`; see `on_failure`. A c10::Error names the argument if
/// y0 is no floating-point or complex tensor with a batch dimension, if times are not finite or turn round, if
/// an option is out of range, if the method has no error estimate and the control needs one, or if f changes
/// shape, dtype or device, or edits y. What f throws passes through.
///
/// **Cost.** The method's stages a step; time that tensors spend beside f is a few per cent once f takes 50 µs.
/// Gradients: see `ode::Discrete`.
ode::Solution<at::Tensor> odeint(const ode::VectorField& f, const at::Tensor& y0, const ode::Times& t,
                                 const OdeintOptions& options = {});

/// The same for a state of several tensors, `[B, …]` each with the same B, dtype and device; the result is a
/// list of `[B, T, …]`. Errors are measured over all numbers of a sample together.
ode::Solution<std::vector<at::Tensor>> odeint(const ode::TupleVectorField& f,
                                              const std::vector<at::Tensor>& y0, const ode::Times& t,
                                              const OdeintOptions& options = {});

}  // namespace stillpoint
