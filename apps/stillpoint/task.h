#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::app {

/// What a network is to do, and how that is scored.
enum class Task {
  Classes,     ///< one label of each sample; error: the fraction that is wrong
  Characters,  ///< the next byte at each position of a text; error: the fraction that is wrong
  Numbers,     ///< a number; error: its square
  /// States [T, D]; error: the mean absolute one. Targets may have further times, which do not count.
  Trajectories,
  Signals,  ///< numbers [100] over time; error: the mean of their squared errors
  Boards,   ///< a sudoku board; loss: the squared error of its numbers; error: the fraction that is wrong
};

/// The loss of each sample, `[B]`: cross entropy in nats (its mean over positions), or the squared error.
at::Tensor losses(Task task, const at::Tensor& outputs, const at::Tensor& targets);

/// The error of each sample, `[B]`, without gradients.
at::Tensor errors(Task task, const at::Tensor& outputs, const at::Tensor& targets);

}  // namespace stillpoint::app
