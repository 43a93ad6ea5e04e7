#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "stillpoint/ode/state_function.h"

namespace stillpoint::ode {

/// Which change of sign counts, seen in the direction of the solve.
enum class Crossing : std::uint8_t { Any, Rising, Falling };

/// Something that happens to a sample when a number changes its sign: a ball that touches the ground, a
/// membrane that reaches its threshold.
///
/// The time is found on dense output, to rounding, and its derivatives are those of the equation
/// when(t, y(t)) = 0, to any order, in everything upstream and in what `when` captured. Each step is looked
/// at in eight places, so two crossings closer than an eighth of a step can cancel and be missed: limit
/// `max_step` where that matters. Of several events in one step the earliest comes first; of several at one
/// time, the first in the list. A number that is zero where a solve starts, or just after its event, has to
/// leave zero before it can cross again.
///
/// Solves with events take steps per sample.
struct Event {
  StateFunction<at::Tensor> when;  ///< the number that crosses zero, `[B]` or `[B, 1]`; NaN never does
  Crossing crossing = Crossing::Any;
  /// The occurrence that ends the solve of a sample; 0: none does.
  std::int64_t terminal = 1;
  /// What becomes of the state there; empty: nothing. It is evaluated for all samples when one of them has
  /// the event, so its value and its derivatives must be finite for the others, or gradients become NaN.
  StateFunction<std::vector<at::Tensor>> then = {};
};

/// The events that happened; empty if none were asked for. E is the largest number of them in a sample.
template <class Value>
struct Occurrences {
  at::Tensor time = {};  ///< `[B, E]`, in double, differentiable; NaN where a sample had fewer
  Value y = {};          ///< `[B, E, …]`: the state there, before `then`, differentiable; NaN as above
  std::vector<std::vector<std::int64_t>> which = {};  ///< for each sample, numbers in the list of events
};

}  // namespace stillpoint::ode
