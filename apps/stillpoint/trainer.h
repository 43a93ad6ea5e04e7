#pragma once

#include <cstdint>
#include <functional>

#include "dataset.h"
#include "model.h"
#include "results.h"

namespace stillpoint::app {

inline constexpr std::int64_t kBatch = 100;

/// Told after each batch what fraction of a pass is done, and the means so far.
using Progress = std::function<void(double fraction, const Pass& so_far)>;

/// Cross entropy, and plain gradient descent at rate 0.1, from the sixth epoch on 0.01. The order of the
/// images depends on the seed and the epoch's number alone: it is the same for each model, and when training
/// continues from a checkpoint.
class Trainer {
 public:
  Trainer(const Dataset& data, std::uint64_t seed) : data_(data), seed_(seed) {}

  /// One pass through the training images, then one through the test images.
  Epoch run_epoch(Classifier model, std::int64_t number, const Progress& progress) const;
  /// One pass through the test images.
  Pass test(Classifier model) const;
  /// Exact peak memory of one training step, beyond the weights and the data set. The weights stay as they
  /// are.
  std::int64_t step_bytes(const Classifier& model, const FixedPointOptions& options) const;

 private:
  Pass train(Classifier model, std::int64_t number, const Progress& progress) const;

  const Dataset& data_;
  std::uint64_t seed_;
};

}  // namespace stillpoint::app
