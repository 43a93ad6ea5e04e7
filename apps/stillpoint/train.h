#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillpoint::app {

/// The options of `stillpoint train`. Paths left empty are not written or read.
struct TrainOptions {
  std::string model = {};                     ///< empty: that of the checkpoint, or the main job
  std::optional<std::int64_t> width = {};     ///< of the network; empty: the checkpoint's, or the model's
  std::vector<std::string> variants = {};     ///< empty: those of the checkpoint, or all
  std::filesystem::path data = {};            ///< empty: the checkpoint's, or the model's
  std::optional<std::int64_t> epochs = {};    ///< in the end; empty: the checkpoint's, or the model's
  std::optional<std::int64_t> examples = {};  ///< the first ones; empty: the checkpoint's, or all
  std::optional<std::int64_t> test_examples = {};  ///< of the test set, alike
  std::optional<std::uint64_t> seed = {};          ///< empty: the checkpoint's, or 1
  int threads = 1;
  std::string device = "cpu";
  std::filesystem::path report = {};
  std::filesystem::path plot = {};
  std::filesystem::path save = {};
  std::filesystem::path load = {};
  std::string command = {};  ///< as typed, for the report
};

/// Trains each variant of a model up to a number of epochs, shows how that goes, and compares them. Throws
/// UserError or Interrupted.
void train(const TrainOptions& options);

}  // namespace stillpoint::app
