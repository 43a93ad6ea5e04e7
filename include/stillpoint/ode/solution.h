#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "stillpoint/core/solution.h"
#include "stillpoint/ode/event.h"
#include "stillpoint/ode/save.h"

namespace stillpoint::ode {

/// How the solve of one sample ended.
enum class Status : std::uint8_t {
  Finished,        ///< it reached its last time
  Event,           ///< a terminal event ended it
  StepTooSmall,    ///< the error stayed too large down to the smallest step
  StepLimit,       ///< the steps ran out
  NotFinite,       ///< the slope stayed NaN or infinite down to the smallest step
  TimeLimit,       ///< the time to compute ran out
  StagesNotFound,  ///< Newton's method did not find the stages of an implicit method, down to that step
};

/// "finished", "event", "step too small", "step limit", "not finite", "time limit" or "stages not found".
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
  /// The same counted per sample: less than evaluations · B if finished samples were left out.
  std::int64_t sample_evaluations = 0;
  // Of an implicit method, each for the whole batch. Evaluations count those that these need.
  std::int64_t newton_iterations = 0;
  std::int64_t jacobians = 0;       ///< ∂f/∂y
  std::int64_t factorizations = 0;  ///< of I − hγ ∂f/∂y

  /// The latest backward pass through this solution, if its rule solves an equation for it or goes back to
  /// where the solve came from; its fields are empty until there was one. Null for other rules. Read it only
  /// while no other thread runs one.
  std::shared_ptr<Stats> backward = {};
  /// In the report of a backward pass of `Backsolve` or `Reversible`: by how much y, taken back, missed what
  /// it had been, in units of the tolerance, at the output where that was most.
  std::vector<double> reconstruction = {};

  bool finished() const;  ///< whether all samples did, or came to a terminal event
  std::int64_t count(Status which) const;
  std::string brief() const;  ///< one line
  std::string full() const;   ///< a few lines: also the samples that did not finish, and what to try
};

/// A trajectory and the report on how it was found: `auto [y, stats] = odeint(…)`. What else was asked for
/// is in the other members.
template <class Value>
struct Solution {
  Value value;
  Stats stats;
  Occurrences<Value> events = {};
  SavedSteps<Value> steps = {};
  DenseSolution<Value> dense = {};
};

template <std::size_t I, class Value>
const auto& get(const Solution<Value>& solution) {
  if constexpr (I == 0) {
    return solution.value;
  } else {
    return solution.stats;
  }
}

/// Throws, warns or stays silent if samples of `stats` did not finish.
void report_failure(const Stats& stats, OnFailure on_failure);

}  // namespace stillpoint::ode

/// \cond
// A solution comes apart into its value and its report.
template <class Value>
struct std::tuple_size<stillpoint::ode::Solution<Value>> : std::integral_constant<std::size_t, 2> {};
template <class Value>
struct std::tuple_element<0, stillpoint::ode::Solution<Value>> {
  using type = const Value;
};
template <class Value>
struct std::tuple_element<1, stillpoint::ode::Solution<Value>> {
  using type = const stillpoint::ode::Stats;
};
/// \endcond
