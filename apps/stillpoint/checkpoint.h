#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "trainer.h"

namespace stillpoint::app {

/// What training needs to go on as if it had not been interrupted.
struct Checkpoint {
  const Experiment* experiment = nullptr;
  std::uint64_t seed = 0;
  std::vector<TrainedVariant> variants;
};

/// Writes a LibTorch archive with a checksum; on failure what was there before stays. Throws UserError.
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Throws UserError if the file is not a whole checkpoint of this program.
Checkpoint load_checkpoint(const std::filesystem::path& path);

}  // namespace stillpoint::app
