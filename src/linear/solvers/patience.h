#pragma once

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/dtype.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/core/solution.h"

namespace stillpoint::detail {

/// How large errors of rounding in b are, where its samples have these norms.
inline std::vector<double> rounding_of(std::vector<double> scale, at::ScalarType dtype) {
  constexpr double ulps = 16.0;
  for (double& number : scale) number *= ulps * machine_epsilon(dtype);
  return scale;
}

/// Which samples of a restarted method are stuck: those that took less than a twentieth off their residual in
/// a tenth of the iterations allowed, and in a cycle; or less than half of it where it is as small as the
/// rounding of b, since what it falls there is luck.
class Patience {
 public:
  Patience(std::int64_t max_iterations, std::int64_t cycle, std::vector<double> residual,
           std::vector<double> rounding)
      : window_(std::max({max_iterations / 10, cycle, kLeastWindow})),
        rounding_(std::move(rounding)),
        best_(std::move(residual)),
        mark_(best_),
        marked_at_(best_.size()),
        stuck_(best_.size()) {}

  /// After each cycle, with all the iterations of each sample so far.
  void judge(const std::vector<double>& residual, const std::vector<std::int64_t>& iterations) {
    for (std::size_t b = 0; b < stuck_.size(); ++b) {
      best_[b] = std::min(best_[b], residual[b]);
      if (iterations[b] - marked_at_[b] < window_) continue;
      const double factor = mark_[b] <= rounding_[b] ? 0.5 : 0.95;
      if (best_[b] > factor * mark_[b]) stuck_[b] = 1;
      mark_[b] = best_[b];
      marked_at_[b] = iterations[b];
    }
  }

  Mask others(Mask running) const {
    for (std::size_t b = 0; b < running.size(); ++b) running[b] = running[b] && !stuck_[b];
    return running;
  }

  void write(Stats& stats) const {
    for (std::size_t b = 0; b < stuck_.size(); ++b) {
      if (stuck_[b] && stats.status[b] == Status::MaxIterations) stats.status[b] = Status::Stalled;
    }
  }

 private:
  static constexpr std::int64_t kLeastWindow = 30;
  std::int64_t window_;
  std::vector<double> rounding_;  // the size of rounding errors in b
  std::vector<double> best_;      // residual so far
  std::vector<double> mark_;      // the best when the window began
  std::vector<std::int64_t> marked_at_;
  Mask stuck_;
};

}  // namespace stillpoint::detail
