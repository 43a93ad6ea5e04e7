#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "stillpoint/core/solution.h"
#include "stillpoint/ode/control.h"
#include "stillpoint/ode/event.h"
#include "stillpoint/ode/gradient.h"
#include "stillpoint/ode/gradients/discrete.h"
#include "stillpoint/ode/jumps.h"
#include "stillpoint/ode/method.h"
#include "stillpoint/ode/methods/runge_kutta.h"
#include "stillpoint/ode/save.h"

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
  /// Whether steps end at each output. If not, only the first and last time are ends of steps, outputs
  /// between are read from dense output, and asking for more of them changes no step.
  bool stop_at_outputs = false;
  ode::Save save = ode::SaveOutputs{};  ///< what comes back beside the outputs
  std::vector<ode::Event> events = {};
  ode::Jumps jumps = {};
  std::int64_t max_steps = 10000;         ///< ≥ 0, tried ones, of a sample
  std::optional<double> time_limit = {};  ///< ≥ 0, in seconds, checked after each step; empty: none
  OnFailure on_failure = OnFailure::Warn;
  std::function<void(const ode::Progress&)> observer = {};  ///< empty: no observer, no cost
};

}  // namespace stillpoint
