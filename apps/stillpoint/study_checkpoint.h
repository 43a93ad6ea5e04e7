#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "learner.h"
#include "train.h"

namespace stillpoint::app {

/// A study on its way. Its variants learn the same wherever the rest is the same.
struct StudyRun {
  const Study* study = nullptr;
  std::uint64_t seed = 1;
  std::int64_t rounds = 0;          ///< of each variant in the end
  std::filesystem::path data = {};  ///< absolute; empty: the model makes its own
  std::vector<StudiedVariant> variants = {};
};

/// Writes what the run needs to go on as if it had not been interrupted; on failure what was there before
/// stays. Throws UserError.
void save_study(const std::filesystem::path& path, const StudyRun& run);

/// Untrained variants, or those of --load, which must be of `study`. As with experiments (resume.h), what the
/// options leave open is as it was, and what they say must be as it was. Throws UserError.
StudyRun start_or_load(const Study& study, const TrainOptions& options);

}  // namespace stillpoint::app
