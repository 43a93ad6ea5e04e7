#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "learner.h"
#include "study_checkpoint.h"

namespace stillpoint::app {

/// What the last table and the report say of one variant.
struct StudyResult {
  std::string name;
  std::int64_t parameters = 0;
  nlohmann::ordered_json results = {};  ///< the learner's
  std::vector<Figures> rounds = {};
  std::vector<double> seconds = {};
  std::int64_t peak_bytes = 0;
  std::uint32_t checksum = 0;
};

/// Asks the learner, with a seed for what that draws.
StudyResult result_of(const StudiedVariant& variant, std::uint64_t seed);

/// As `make_report` (report.h), of a study: each variant has the keys of its results, and "rounds" in place
/// of "epochs".
std::string make_study_report(const StudyRun& run, const std::vector<StudyResult>& results,
                              const std::string& command);

/// The names of the columns of `round_line`.
std::string round_header(const Figures& figures);
std::string round_line(const std::string& variant, const std::string& round, const Figures& figures,
                       double seconds);
/// What the progress bar says after a round.
std::string in_brief(const Figures& figures);
/// The last table, in lines.
std::vector<std::string> study_table(const std::vector<StudyResult>& results);

}  // namespace stillpoint::app
