#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "stillpoint/autograd/unroll.h"

namespace stillpoint {

/// What tasks learn from: from the parameters of B tasks, tensors `[B, …]`, to one loss for each, `[B]`. As
/// for a `Map`, it is deterministic, tasks do not depend on each other, and a backward pass may call it
/// again.
using TaskLoss = std::function<at::Tensor(const State& parameters)>;

/// Options of `adapt`.
struct AdaptOptions {
  std::int64_t steps = 1;  ///< ≥ 0
  double rate = 0.01;      ///< > 0, finite; the length of a step, in units of parameter² / loss
  /// 0 keeps the record of every step for the backward pass. k ≥ 1 keeps the parameters after every k steps,
  /// and takes the steps between again there, whose record is then some four times as large. So 1 saves most,
  /// where the record of a step is larger than its parameters. (Griewank, Walther 2000.)
  std::int64_t checkpoint_every = 0;
  /// Takes the gradients in the steps as constants: cheaper, and not exact. (Finn et al. 2017, section 5.2.)
  bool first_order = false;
};

/// Steps of gradient descent as a differentiable function of where they start, the inner loop of
/// meta-learning: φ ← φ − rate ∇loss(φ), for B tasks at once. (Finn, Abbeel, Levine 2017: model-agnostic
/// meta-learning.) A start that tasks share is `{theta.expand({B, …})}`.
///
/// **Gradient.** Exact to any order in the start and in all that the loss captured, unless `first_order`.
/// Without gradient mode nothing is recorded.
///
/// **When to use something else.** To descend to the minimum, `minimize` of loss + λ/2 ‖φ − θ‖² has an
/// implicit gradient, whose memory does not grow with the steps.
///
/// **Cost.** A step is an evaluation of the loss and its gradient; the backward pass takes about twice as
/// long. Memory for the record of every step; with checkpoints for steps / k copies of the parameters and the
/// larger record of k steps, and up to 1.8 times as long.
///
/// **Errors.** A c10::Error if the loss is empty or does not return one number for each task, if the start
/// holds no tensors `[B, …]` of one dtype and device, or for options out of range.
State adapt(const TaskLoss& loss, const State& start, const AdaptOptions& options = {});

}  // namespace stillpoint
