#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "stillpoint/core/best_iterate.h"
#include "stillpoint/core/deadline.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/core/observer.h"
#include "stillpoint/core/row_norms.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/stall_watch.h"
#include "stillpoint/core/stop_test.h"

namespace stillpoint {

/// Watches an iteration: which samples have converged, and the best iterate of each.
///
/// A sample is frozen when it converges. The iterate that converged is what comes back, whatever the others
/// do afterwards, so its value does not depend on its neighbors. A sample whose residual is not finite twice
/// in a row has failed. `update` costs O(B), and copies rows only if samples end at different iterates.
///
/// It puts together what can be used singly: `StopTest`, `BestIterate`, `StallWatch`, `Deadline`, `Observer`.
class Monitor {
 public:
  /// `test` may be a tolerance. `max_iterations` ≥ 0 is the number of steps allowed.
  Monitor(StopTest test, std::int64_t max_iterations, std::int64_t batch);

  /// Takes the next iterate, `[B, …]`, contiguous and not written to afterwards, and f(z). Returns true while
  /// some sample needs another step.
  bool update(at::Tensor z, const at::Tensor& fz);
  /// The same, if you already have the norms.
  bool update(at::Tensor z, const RowNorms& norms);
  /// Computes the norms for `update` from the residual itself: f(z) − z, or whatever has to vanish at `z`.
  void norms(const at::Tensor& z, const at::Tensor& residual, RowNorms& norms) const;

  bool running(std::int64_t sample) const { return running_[sample] != 0; }
  bool all_running() const { return running_count_ == static_cast<std::int64_t>(running_.size()); }
  const Mask& running() const { return running_; }
  const ResolvedTolerance& tolerance() const { return test_.tolerance(); }
  std::int64_t steps() const { return steps_; }  ///< updates so far, minus one

  /// From now on, gives up a sample as stalled if its best residual has not fallen by one per cent in the
  /// last `window` steps; 0: never.
  void give_up_stalled(std::int64_t window) { stall_.give_up(steps_ + 1, window); }
  /// From now on, parks a sample that makes slow progress, as if it had finished: one whose best residual has
  /// not halved in the last `window` steps, or whose residual is not finite. A sample that is never resumed
  /// is reported as stalled.
  void park_stalled(std::int64_t window) { stall_.park(steps_ + 1, window); }
  /// Stops parking, and lets the parked samples run again if there are steps left. Returns how many do.
  /// Another method can take them on from `best()`.
  std::int64_t resume();
  /// Makes `update` return false once the deadline has passed.
  void stop_at(Deadline deadline) { deadline_ = deadline; }
  /// The largest residual accepted for a sample whose iterate has the norm `scale`, as far as is known.
  double allowed(std::size_t sample, double scale) const { return test_.allowed(sample, scale); }
  /// Shows each update to `observer`, which may be empty. Costs a copy of rows per update once samples have
  /// ended at different iterates.
  void observe(Observer observer) { observer_ = std::move(observer); }
  /// Sets the name of the method in the report.
  void describe(std::string method) { method_ = std::move(method); }

  /// The frozen or best iterate of each sample.
  at::Tensor best() const { return best_.value(running_); }
  /// Whether `best()` combines several iterates, so that no evaluation has seen it as a whole.
  bool parted() const { return best_.parted(); }
  /// Takes the norms of `best()` as a whole. Converged samples whose residual is more than twice what is
  /// accepted run again: the samples of that map depend on each other. Returns how many do. They are reported
  /// as inaccurate, unless a solver that starts from `best()` makes them converge.
  std::int64_t reopen(const RowNorms& whole);
  /// Reports the samples still running with their latest norms, for a caller that returns the latest iterate
  /// instead of the best.
  void settle_for_latest();
  /// Fills in status, residual and iterations, and the method if it was described.
  void write(Stats& stats) const;

 private:
  // How one sample is getting on.
  struct Sample {
    double allowed = std::numeric_limits<double>::quiet_NaN();  // what its best residual may be
    std::int64_t iterations = 0;                                // when it ended
    std::int64_t waited = 0;                                    // steps that it was parked for
    Status status = Status::MaxIterations;
    std::uint8_t non_finite = 0;  // residuals in a row
    bool parked = false;
  };

  bool time_is_left() const { return steps_ < max_iterations_ && !deadline_.passed(); }
  void advance(at::Tensor z, const RowNorms& norms);
  void sort_out(at::Tensor z, const RowNorms& norms, bool window_ends);
  void find_better(const RowNorms& norms);
  bool judge(std::size_t sample, bool finite, bool window_ends);
  void freeze();
  void run_again(std::size_t sample);

  StopTest test_;
  BestIterate best_;
  StallWatch stall_;
  Deadline deadline_;
  Observer observer_;
  std::string method_;
  std::int64_t max_iterations_;
  std::int64_t steps_ = -1;
  std::vector<Sample> samples_;
  Mask running_;
  std::int64_t running_count_;
  Mask better_;      // than all before, with the latest update
  Mask ending_;      // with the latest update
  RowNorms latest_;  // of the last update with f(z)
};

}  // namespace stillpoint
