#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint {

/// Where an iteration stands: tensors `[B, …]` with one B.
using State = std::vector<at::Tensor>;

/// A step that has been taken, with its decisions: which samples moved, how far.
struct Step {
  State next;                                ///< where it led
  std::function<State(const State&)> again;  ///< the same step, decisions included, from the same state
  Mask moved;                                ///< the samples that took it
};

/// Takes the next step from a state, and records it if gradients are on; empty where the iteration ends.
using NextStep = std::function<std::optional<Step>(const State&)>;

/// Runs an iteration from `start` to its end, recorded step by step: its exact derivative, to any order.
/// Memory grows with the steps.
State unroll(State start, const NextStep& next);

/// The same, keeping only the state after every `every` (≥ 1) steps: the backward pass takes the steps
/// between again, with the decisions that were made the first time. One run of the steps more; memory for
/// steps / every states and the record of `every` steps. (Griewank, Walther 2000.)
State unroll_checkpointed(State start, const NextStep& next, std::int64_t every);

}  // namespace stillpoint
