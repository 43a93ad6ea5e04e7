#pragma once

#include <torch/optim/optimizer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dataset.h"
#include "experiment.h"
#include "results.h"

namespace stillpoint::app {

/// A variant on its way: its weights, the optimizer's state, and the epochs that led to them.
struct TrainedVariant {
  std::string name;
  NetworkPointer network;
  std::shared_ptr<torch::optim::Optimizer> optimizer;
  std::vector<Epoch> epochs = {};
};

/// Untrained, with weights that depend on the seed.
TrainedVariant new_variant(const Experiment& experiment, const std::string& name, std::uint64_t seed);

/// Told after each batch what fraction of a pass is done, and the means so far.
using Progress = std::function<void(double fraction, const Pass& so_far)>;

/// Trains by the experiment's recipe. The order of the examples and all that is drawn depend on the seed and
/// the epoch's number alone: they are the same for each variant, and when training continues from a
/// checkpoint.
class Trainer {
 public:
  Trainer(const Experiment& experiment, const Dataset& data, std::uint64_t seed)
      : experiment_(experiment), data_(data), seed_(seed) {}

  /// One pass through the training examples, then one through the test examples. `last` is the number of the
  /// last epoch to come, which the step may depend on.
  Epoch run_epoch(TrainedVariant& variant, std::int64_t last, const Progress& progress) const;
  /// One pass through the test examples.
  Pass test(Network& network) const;
  /// Exact peak memory of a first training step, beyond weights and data set: gradients and the optimizer's
  /// state count. The weights stay as they are.
  std::int64_t step_bytes(const TrainedVariant& variant) const;

 private:
  Pass train(TrainedVariant& variant, std::int64_t last, const Progress& progress) const;

  const Experiment& experiment_;
  const Dataset& data_;
  std::uint64_t seed_;
};

}  // namespace stillpoint::app
