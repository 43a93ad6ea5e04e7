#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stillpoint/core/solution.h"

namespace stillpoint::ode {

/// How the solve of one sample ended.
enum class Status : std::uint8_t {
  Finished,      ///< it reached its last time
  StepTooSmall,  ///< the error stayed too large down to the smallest step
  StepLimit,     ///< the steps ran out
  NotFinite,     ///< the slope stayed NaN or infinite down to the smallest step
  TimeLimit,     ///< the time to compute ran out
};

/// "finished", "step too small", "step limit", "not finite" or "time limit".
const char* to_string(Status status);

/// What a solve did. The vectors have one entry a sample. With joint steps all samples that finish report the
/// same steps.
struct Stats {
  std::string method;
  std::vector<Status> status;
  std::vector<double> time;  ///< reached; outputs later than that are NaN
  std::vector<std::int64_t> accepted;
  std::vector<std::int64_t> rejected;
  /// Of f for the whole batch, while solving. The one that finds out what f captured, and those of backward
  /// passes, are not counted.
  std::int64_t evaluations = 0;

  bool finished() const;  ///< whether all samples did
  std::int64_t count(Status which) const;
  std::string brief() const;  ///< one line
  std::string full() const;   ///< a few lines: also the samples that did not finish, and what to try
};

/// A trajectory and the report on how it was found: `auto [y, stats] = odeint(…)`.
template <class Value>
struct Solution {
  Value value;
  Stats stats;
};

/// Throws, warns or stays silent if samples of `stats` did not finish.
void report_failure(const Stats& stats, OnFailure on_failure);

}  // namespace stillpoint::ode
