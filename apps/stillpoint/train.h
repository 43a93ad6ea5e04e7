#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillpoint::app {

/// The options of `stillpoint train`. Paths left empty are not written or read.
struct TrainOptions {
  std::vector<std::string> variants;  ///< empty: those of the checkpoint, or all
  std::filesystem::path data = "/usr/share/datasets/fashion-mnist";
  std::int64_t epochs = 3;
  std::optional<std::uint64_t> seed;  ///< empty: the checkpoint's, or 1
  int threads = 1;
  std::string device = "cpu";
  std::filesystem::path report;
  std::filesystem::path plot;
  std::filesystem::path save;
  std::filesystem::path load;
  std::string command;  ///< as typed, for the report
};

/// Trains one model for each variant, shows how that goes, and compares them. Throws UserError or
/// Interrupted.
void train(const TrainOptions& options);

}  // namespace stillpoint::app
