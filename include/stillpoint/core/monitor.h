#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stillpoint/core/map.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/core/slopes.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"

namespace stillpoint {

/// Per sample, the norm of the residual and the scale that the relative tolerance multiplies.
struct RowNorms {
  std::vector<double> residual;
  std::vector<double> scale;
};

/// The norms of `fz − z` and of `z` for each sample of two contiguous tensors `[B, …]`. One pass on the CPU.
void residual_norms(const at::Tensor& z, const at::Tensor& fz, Norm norm, RowNorms& norms);

/// What an observer sees of a solve. Valid during the call. You may keep the tensor `z`, but must not write
/// to it.
struct Iterate {
  std::int64_t step;    ///< 0 at the starting point
  const at::Tensor& z;  ///< `[B, …]`, no gradients; a finished sample shows what will come back for it
  const std::vector<double>& residual;  ///< per sample, at z, in the norm of the tolerance
  const Mask& running;                  ///< 1 for a sample that goes on from here, else 0
};

/// Called at each iterate of a solve, with gradients off. A state of several tensors arrives packed as `[B,
/// N]`: use `Packing(z0).unpack(iterate.z)`. An exception ends the solve and passes through.
using Observer = std::function<void(const Iterate&)>;

/// Watches an iteration: which samples have converged, and the best iterate of each.
///
/// A sample is frozen when it converges. The iterate that converged is what comes back, whatever the others
/// do afterwards, so its value does not depend on its neighbors. A sample whose residual is not finite twice
/// in a row has failed. `update` costs O(B), and copies rows only if samples end at different iterates.
class Monitor {
 public:
  /// `max_iterations` ≥ 0 is the number of steps allowed.
  Monitor(const ResolvedTolerance& tolerance, std::int64_t max_iterations, std::int64_t batch);

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
  const ResolvedTolerance& tolerance() const { return tolerance_; }
  std::int64_t steps() const { return steps_; }  ///< updates so far, minus one

  /// From now on, gives up a sample as stalled if its best residual has not fallen by one per cent in the
  /// last `window` steps; 0: never.
  void give_up_stalled(std::int64_t window);
  /// From now on, parks a sample that makes slow progress, as if it had finished: one whose best residual has
  /// not halved in the last `window` steps, or whose residual is not finite. A sample that is never resumed
  /// is reported as stalled.
  void park_stalled(std::int64_t window);
  /// Stops parking, and lets the parked samples run again if there are steps left. Returns how many do.
  /// Another method can take them on from `best()`.
  std::int64_t resume();
  /// Makes `update` return false once this many seconds have passed from now. A billion or more means no
  /// limit.
  void limit_time(double seconds);
  /// Judges samples by this criterion from now on.
  void judge_by(Criterion criterion) { criterion_ = criterion; }
  /// Compares residuals in the unit of z, as a root needs it. Cannot be combined with `Criterion::Step`.
  void compare_in_unit_of_z(Slopes::Measure measure);
  /// The largest residual accepted for a sample whose iterate has the norm `scale`, as far as is known.
  double allowed(std::size_t sample, double scale) const;
  /// Shows each update to `observer`, which may be empty. Costs a copy of rows per update once samples have
  /// ended at different iterates.
  void observe(Observer observer) { observer_ = std::move(observer); }
  /// Sets the name of the method in the report.
  void describe(std::string method) { method_ = std::move(method); }

  /// The frozen or best iterate of each sample.
  at::Tensor best() const;
  /// Whether `best()` combines several iterates, so that no evaluation has seen it as a whole.
  bool parted() const { return finished_.defined(); }
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
  bool advances_together(const RowNorms& norms, const std::vector<double>& measured);
  void begin_window(std::int64_t window, double factor);
  bool window_ends() const { return window_ > 0 && (steps_ - window_start_) % window_ == 0; }
  bool solves(std::size_t sample, double measured, double scale) const;
  void follow_slopes(const at::Tensor& z, const RowNorms& norms);
  void run_again(std::size_t sample);
  bool stalls(std::size_t sample) const;
  bool time_is_over() const { return deadline_ && std::chrono::steady_clock::now() >= *deadline_; }
  bool goes_on() const { return running_count_ > 0 && steps_ < max_iterations_ && !time_is_over(); }
  const std::vector<double>& step_lengths(const at::Tensor& z, const RowNorms& norms);
  void take_in(at::Tensor z, const RowNorms& norms, const std::vector<double>& measured);
  void show(const at::Tensor& z, const RowNorms& norms) const;
  void keep_best(at::Tensor z, std::int64_t improvements);
  void finish(std::int64_t finishes);

  ResolvedTolerance tolerance_;
  std::int64_t max_iterations_;
  std::int64_t steps_ = -1;
  std::int64_t running_count_;
  Mask running_;
  Mask improved_;                         // by the latest update
  Mask finishing_;                        // with the latest update
  std::vector<std::uint8_t> non_finite_;  // in a row
  std::vector<Status> status_;
  std::vector<double> residual_;  // of the best iterate
  std::vector<double> allowed_;   // what that may be
  RowNorms latest_;               // of the last update with f(z)
  std::vector<std::int64_t> iterations_;
  at::Tensor best_;  // best iterates of the running samples; shared with the caller unless owned
  bool owns_best_ = false;
  std::int64_t patience_ = 0;      // of `give_up_stalled`
  std::int64_t window_ = 0;        // in steps; 0: no sample is given up or parked
  double factor_ = 1.0;            // by which the best residual has to fall in a window
  bool parks_ = false;             // as `park_stalled` does
  std::int64_t window_start_ = 0;  // a step at which a window began
  std::vector<double> mark_;       // the best residual when the window began
  Mask parked_;
  std::vector<std::int64_t> waited_;  // steps that a sample was parked for
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  std::string method_;
  Criterion criterion_ = Criterion::Residual;
  std::optional<Slopes> slopes_;
  std::vector<double> bounds_;    // what the tolerance allows at the latest iterate
  std::vector<double> distance_;  // of the latest step, as `Criterion::Step` measures it
  at::Tensor previous_;           // the iterate before, if that is asked for
  Observer observer_;
  at::Tensor finished_;  // rows of the samples that have finished; undefined until they part ways
};

}  // namespace stillpoint
