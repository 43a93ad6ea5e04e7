#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "ode/clock.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/ode/solution.h"

namespace stillpoint::detail {

/// How the solve of each sample goes.
class Samples {
 public:
  Samples(std::size_t batch, bool joint)
      : alive_(batch, true), status_(batch, ode::Status::Finished), taken_(batch, 0), joint_(joint) {}

  std::size_t size() const { return taken_.size(); }
  std::size_t clock_of(std::size_t sample) const { return joint_ ? 0 : sample; }
  /// Those that have not failed.
  const Mask& alive() const { return alive_; }
  /// Those whose clocks are marked and that have not failed.
  Mask alive(const Mask& clocks) const;

  /// Gives up a sample after so many steps, at this time.
  void fail(std::size_t sample, ode::Status why, std::size_t steps, double time);
  void end_by_event(std::size_t sample) { status_[sample] = ode::Status::Event; }

  /// Reached by each.
  std::vector<double> times(const std::vector<Clock>& clocks) const;
  /// Taken by each.
  std::vector<std::size_t> steps(const std::vector<Clock>& clocks) const;
  void write(ode::Stats& stats, const std::vector<Clock>& clocks) const;

 private:
  Mask alive_;
  std::vector<ode::Status> status_;
  std::vector<std::size_t> taken_;  // of those that failed
  std::vector<std::pair<std::size_t, double>> failed_at_;
  bool joint_;
};

}  // namespace stillpoint::detail
