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
  NonFinite,      ///< its residual stayed NaN or infinite; its best iterate is returned
  Stalled,        ///< its best residual stopped falling; its best iterate is returned
  TimeLimit,      ///< the time ran out; its best iterate is returned
  Inaccurate,     ///< the method ended, but its result misses the tolerance
  Unbounded,      ///< the objective of a minimization falls for ever; its last iterate is returned
};

/// "converged", "max iterations", "non-finite", "stalled", "time limit", "inaccurate" or "unbounded".
const char* to_string(Status status);

/// What to do when a sample does not converge.
enum class OnFailure : std::uint8_t {
  Warn,    ///< a LibTorch warning, one line: the brief report, and what to try
  Throw,   ///< a c10::Error with the full report; that of a backward solve comes out of backward()
  Ignore,  ///< nothing; read the status yourself
};

/// What to try if samples ended so, as half a sentence; each module that solves something has its own.
using Advice = const char* (*)(Status);

/// What a solve did. The vectors have one entry per sample. They are on the host, so reading them costs
/// nothing.
struct Stats {
  std::string method;
  std::vector<Status> status;
  std::vector<double> residual;  ///< of the iterate returned, in the norm of the tolerance
  /// The largest residual accepted, where it is known: the tolerance at the scale of each sample. Empty for
  /// linear systems.
  std::vector<double> allowed;
  std::vector<std::int64_t> iterations;  ///< steps taken from the starting point
  /// Evaluations of the map, or products with the operator for linear systems. This leaves out the one
  /// evaluation that is recorded for an implicit gradient. If samples ended at different iterates, it
  /// includes a last evaluation of them all together.
  std::int64_t evaluations = 0;
  /// The same counted per sample, for a map. Less than evaluations · B if finished samples were left out.
  std::int64_t sample_evaluations = 0;
  std::int64_t jacobian_products = 0;  ///< products vᵀJ or Jv
  /// The latest backward pass through this solution; its fields are empty until there was one. Its own
  /// `backward` is the backward pass of that backward pass, and so on. Null if the gradient rule solves no
  /// system. Read it only while no other thread runs a backward pass.
  std::shared_ptr<Stats> backward;
  Advice advice = nullptr;  ///< what to try, from the module that solved; null: none is known

  bool converged() const;  ///< whether all samples did
  std::int64_t count(Status which) const;
  Mask where(Status which) const;  ///< marks the samples that ended so
  double max_residual() const;     ///< NaN if any is; 0 for an empty batch
  double mean_iterations() const;  ///< 0 for an empty batch
  std::string brief() const;       ///< one line
  std::string full() const;        ///< a few lines: also the failed samples, and what to try
};

/// A solution and the report on how it was found: `auto [value, stats] = fixed_point(…)`.
template <class Value>
struct Solution {
  Value value;
  Stats stats;
};

/// Throws, warns or stays silent if samples of `stats` did not converge.
void report_failure(const Stats& stats, OnFailure on_failure);

}  // namespace stillpoint
