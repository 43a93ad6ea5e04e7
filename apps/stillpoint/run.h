#pragma once

#include <cstdint>
#include <filesystem>

#include "dataset.h"
#include "experiment.h"

namespace stillpoint::app {

/// What a training run is: its variants learn the same wherever all of this is the same.
struct RunHeader {
  const Experiment* experiment = nullptr;
  std::uint64_t seed = 1;
  std::int64_t epochs = 0;          ///< of each variant in the end; the recipe's rate may depend on it
  std::filesystem::path data = {};  ///< absolute; empty: the model makes its own
  std::int64_t train_examples = 0;
  std::int64_t test_examples = 0;
  std::uint32_t checksum = 0;  ///< CRC-32 of the examples
};

/// Of inputs and targets, on any device.
std::uint32_t checksum_of(const Dataset& data);

/// Whether a recipe takes the same steps in its first `done` epochs, be they of so many or so many.
bool same_beginning(const Recipe& recipe, std::int64_t done, std::int64_t of, std::int64_t or_of);

}  // namespace stillpoint::app
