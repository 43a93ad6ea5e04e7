#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace stillpoint {

/// Notices samples that do not get on. Steps are counted off in windows. A sample stalls if its best residual
/// has not fallen enough from the end of one window to the end of the next. Until told otherwise, none does.
class StallWatch {
 public:
  /// From the step `from` on, a residual has to fall by one per cent in `window` steps; 0: it need not.
  void give_up(std::int64_t from, std::int64_t window);
  /// From the step `from` on, it has to halve. Those that stall are to wait for another method.
  void park(std::int64_t from, std::int64_t window);
  /// From the step `from` on, as the last `give_up` asked for.
  void end_parking(std::int64_t from) { give_up(from, patience_); }

  bool parks() const { return parks_ && window_ > 0; }
  bool ends_window(std::int64_t step) const { return window_ > 0 && (step - from_) % window_ == 0; }
  /// Whether a sample with this best residual stalls, where a window ends.
  bool stalls(std::size_t sample, double best) const {
    return !mark_.empty() && !(best <= factor_ * mark_[sample]);
  }
  /// Begins the next window with these best residuals, one a sample.
  void begin_window(std::vector<double> best) { mark_ = std::move(best); }

 private:
  void count_from(std::int64_t from, std::int64_t window, double factor);

  std::int64_t patience_ = 0;  // the last window of `give_up`
  std::int64_t window_ = 0;    // in steps; 0: no sample stalls
  std::int64_t from_ = 0;      // a step at which a window began
  double factor_ = 1.0;        // by which the best residual has to fall in a window
  bool parks_ = false;
  std::vector<double> mark_;  // the best residual when the window began; empty before the first one
};

}  // namespace stillpoint
