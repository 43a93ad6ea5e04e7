#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "task.h"

namespace stillpoint::app {

/// Means over one pass through the training or test examples.
struct Pass {
  double error = 0;  ///< fraction of wrong labels, characters or boards, or the squared error of numbers
  /// Cross entropy in nats, or the squared error, of the samples that count; NaN if none does.
  double loss = 0;
  /// Of the forward solve, until the last sample of a batch is done, as published; empty if nothing is
  /// solved.
  std::optional<double> iterations = {};
  std::optional<double> backward_iterations = {};  ///< alike; empty in tests, and where no system is solved
  std::int64_t unconverged = 0;           ///< samples whose forward solve did not reach the tolerance
  std::int64_t backward_unconverged = 0;  ///< the same of the backward solve
  double seconds = 0;
};

struct Epoch {
  std::int64_t number = 1;  ///< from 1
  Pass train;
  Pass test;
  /// What the network then makes of the first test example, where a picture shows how that came about.
  std::vector<double> first_output = {};
};

/// What the last table and the report say of one variant. Fields are empty where nothing was trained.
struct VariantResult {
  std::string name;
  std::int64_t parameters = 0;  ///< numbers that are learned
  double test_error = 0;
  std::optional<double> bits_per_character;   ///< of the test text
  std::optional<double> train_error;          ///< in the last epoch, while it trained
  std::optional<double> forward_iterations;   ///< in the last epoch, while it trained, or else in the test
  std::optional<double> backward_iterations;  ///< in the last epoch
  /// In their place, where an ODE is solved: evaluations of its f for a batch.
  std::optional<double> forward_evaluations = {}, backward_evaluations = {};
  std::optional<double> mean_absolute_error = {};  ///< of the test trajectory
  std::optional<double> test_mse = {};             ///< mean squared error of the test, of signals
  std::optional<double> parameter_error = {};      ///< largest relative one, where the truth is known
  std::optional<double> seconds_per_epoch;         ///< of training, without the test
  std::int64_t peak_bytes = 0;           ///< of tensors, during one training step with the final weights
  std::optional<double> gradient_error;  ///< empty if the reference itself does not converge
  std::vector<Epoch> epochs;
};

/// Sums up the epochs of a variant; `test` is of the final weights.
VariantResult summarize(std::string name, Task task, std::vector<Epoch> epochs, const Pass& test,
                        bool counts_evaluations = false);

}  // namespace stillpoint::app
