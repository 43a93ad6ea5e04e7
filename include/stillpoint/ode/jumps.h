#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/ode/state_function.h"

namespace stillpoint::ode {

/// Times that are known beforehand at which f jumps, or the state does: a switch, a dose. Steps end there.
///
/// f is told on which side it is: before τ it gets the largest time of y's dtype that is less than τ, after
/// it the least one that is not, so `t < tau` is right on both. (In a falling solve the sides are the other
/// way round.) A jump where the solve starts counts, one at its last time or outside does not. The output at
/// a jump is the state before it.
struct Jumps {
  /// `[J]`, or `[B, J]` for each sample its own, in any order; undefined: none. Differentiable. An infinite
  /// entry is a place that is not used.
  at::Tensor times = {};
  StateFunction<std::vector<at::Tensor>> then = {};  ///< what becomes of the state; empty: nothing
};

}  // namespace stillpoint::ode
