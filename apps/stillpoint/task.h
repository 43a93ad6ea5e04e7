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
  Shares,   ///< one label of each sample, as above; the outputs are shares of the classes
  Choices,  ///< the three largest of 8 digits [8]; error: the fraction of sets of which others are chosen
  Signals,  ///< numbers [100] over time; error: the mean of their squared errors
  Boards,   ///< a sudoku board; loss: the squared error of its numbers; error: the fraction that is wrong
};

/// The loss of each sample, `[B]`: cross entropy in nats (its mean over positions), or the squared error. The
/// squares are of shares less 1 or 0 (their sum, Brier's score), or of choices less 1 or 0 (their mean).
at::Tensor losses(Task task, const at::Tensor& outputs, const at::Tensor& targets);

/// Marks, with 1, the three largest digits of each set, `[B, 8]`; all others are 0.
at::Tensor choices(const at::Tensor& digits);

/// The error of each sample, `[B]`, without gradients.
at::Tensor errors(Task task, const at::Tensor& outputs, const at::Tensor& targets);

}  // namespace stillpoint::app
