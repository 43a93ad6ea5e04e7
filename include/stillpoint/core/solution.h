#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint {

/// How the solve of one sample ended.
enum class Status : std::uint8_t {
  Converged,      ///< its residual is within the tolerance
  MaxIterations,  ///< the iterations ran out; its best iterate is returned
  NonFinite,      ///< its residual became NaN or infinite and stayed so; its best iterate is returned
  Stalled,        ///< its best residual has stopped falling; its best iterate is returned
  TimeLimit,      ///< the time allowed was over; its best iterate is returned
  Inaccurate,     ///< the method ended, but its result does not satisfy the equation to the tolerance
};

/// "converged", "max iterations", "non-finite", "stalled", "time limit" or "inaccurate".
const char* to_string(Status status);

/// What to do when a sample does not converge.
enum class OnFailure : std::uint8_t {
  Warn,    ///< a LibTorch warning with the brief report
  Throw,   ///< a c10::Error with the full report; from the backward pass it comes out of backward()
  Ignore,  ///< nothing: the caller reads the status
};

/// What a solve did. The vectors have one entry a sample, on the host: reading them costs nothing.
struct Stats {
  std::string method;
  std::vector<Status> status;
  std::vector<double> residual;  ///< of the iterate returned, in the norm of the tolerance
  /// What that residual may be, where it is known: the tolerance for the scale of each sample. Empty for
  /// linear systems.
  std::vector<double> allowed;
  std::vector<std::int64_t> iterations;  ///< steps taken from the starting point
  /// Of the map (fixed points) or operator (linear systems) without the one evaluation that is recorded for
  /// an implicit gradient. Where samples ended apart the last one looks at them as a whole.
  std::int64_t evaluations = 0;
  /// The same counted in samples, of a map: less than evaluations · B where finished samples were left out.
  std::int64_t sample_evaluations = 0;
  std::int64_t jacobian_products = 0;  ///< products vᵀJ or Jv
  /// The latest backward pass through this solution; empty fields until there was one. Its own `backward`
  /// is the backward pass of the backward pass, and so on. Null where the gradient rule solves no system. To
  /// be read when no other thread runs one.
  std::shared_ptr<Stats> backward;

  bool converged() const;  ///< all samples did
  std::int64_t count(Status which) const;
  Mask where(Status which) const;  ///< marks the samples that ended so
  double max_residual() const;     ///< NaN if any is; 0 for an empty batch
  double mean_iterations() const;  ///< 0 for an empty batch
  std::string brief() const;       ///< one line
  std::string full() const;        ///< a few lines, with the failed samples and what to try
};

/// A value that was solved for, and how that went: `auto [value, stats] = fixed_point(…)`.
template <class Value>
struct Solution {
  Value value;
  Stats stats;
};

/// Throws, warns or stays silent about the samples of `stats` that did not converge.
void report_failure(const Stats& stats, OnFailure on_failure);

}  // namespace stillpoint
