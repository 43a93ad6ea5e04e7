#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "plot.h"

namespace torch::serialize {
class InputArchive;
class OutputArchive;
}  // namespace torch::serialize

namespace stillpoint::app {

/// Numbers with their names, in the order in which they are shown.
using Figures = std::vector<std::pair<std::string, double>>;

/// What learns without a data set of examples: from games, from tasks that are drawn, from a problem of its
/// own.
class Learner {
 public:
  Learner() = default;
  virtual ~Learner() = default;
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  /// Learns for one round, and says how it went: the same names in each round. All that it draws comes from
  /// LibTorch's own generator, which has a seed for each round. A long round calls `stop_if_interrupted` now
  /// and then; what it has done so far is then forgotten.
  virtual Figures run_round() = 0;
  /// What the report says of it in the end, beside its rounds; that may be after none. The last table shows
  /// those that are numbers. Here, too, the generator has a seed.
  virtual nlohmann::ordered_json results() = 0;
  /// Numbers that are learned.
  virtual std::int64_t parameters() const = 0;
  /// What it needs to go on as if it had not been interrupted: weights, and the state of optimizers.
  virtual void save(torch::serialize::OutputArchive& archive) const = 0;
  virtual void load(torch::serialize::InputArchive& archive) = 0;
  /// A checksum of the examples that it has read from files: it cannot go on with others. 0 if there are
  /// none.
  virtual std::uint32_t checksum() const { return 0; }
};

/// One of the learners that a study compares. All begin with the same weights where they have the same.
struct StudyVariant {
  std::string name;
  std::function<std::unique_ptr<Learner>(const std::filesystem::path& data)> make;
};

/// A learner on its way, with the figures of its rounds.
struct StudiedVariant {
  std::string name;
  std::unique_ptr<Learner> learner;
  std::vector<Figures> rounds = {};
  std::vector<double> seconds = {};  ///< of each round
  std::int64_t peak_bytes = 0;       ///< of tensors, the most at one time in the first round
};

/// What `stillpoint train --model NAME` runs where there are no examples to go through.
struct Study {
  std::string name;
  std::string description;          ///< one line
  std::int64_t rounds = 1;          ///< unless told otherwise
  std::filesystem::path data = {};  ///< unless told otherwise; empty: must be told, or there is none
  std::vector<StudyVariant> variants;
  /// What --plot draws in the end.
  std::function<std::vector<Panel>(const std::vector<StudiedVariant>& variants)> picture;
};

}  // namespace stillpoint::app
