#pragma once

#include <filesystem>
#include <vector>

#include "run.h"
#include "trainer.h"

namespace stillpoint::app {

/// What training needs to go on as if it had not been interrupted.
struct Checkpoint {
  RunHeader run;
  std::vector<TrainedVariant> variants;
};

/// Writes a LibTorch archive with a checksum; on failure what was there before stays. Throws UserError.
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Onto `device`. Throws UserError if the file is not a whole checkpoint of this program.
Checkpoint load_checkpoint(const std::filesystem::path& path, c10::Device device);

}  // namespace stillpoint::app
