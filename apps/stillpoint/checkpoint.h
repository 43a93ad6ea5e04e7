#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model.h"
#include "results.h"

namespace stillpoint::app {

/// A variant's weights, and the epochs that led to them.
struct TrainedVariant {
  std::string name;
  Classifier model;
  std::vector<Epoch> epochs;
};

/// What training needs to go on as if it had not been interrupted.
struct Checkpoint {
  std::uint64_t seed = 0;
  std::vector<TrainedVariant> variants;
};

/// Writes a LibTorch archive with a checksum; on failure what was there before stays. Throws UserError.
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Throws UserError if the file is not a whole checkpoint of this program.
Checkpoint load_checkpoint(const std::filesystem::path& path);

}  // namespace stillpoint::app
