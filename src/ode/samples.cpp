#include "ode/samples.h"

namespace stillpoint::detail {

Mask Samples::alive(const Mask& clocks) const {
  Mask mask(size());
  for (std::size_t b = 0; b < size(); ++b) mask[b] = alive_[b] & clocks[clock_of(b)];
  return mask;
}

void Samples::fail(std::size_t sample, ode::Status why, std::size_t steps, double time) {
  alive_[sample] = 0;
  status_[sample] = why;
  taken_[sample] = steps;
  failed_at_.emplace_back(sample, time);
}

std::vector<double> Samples::times(const std::vector<Clock>& clocks) const {
  std::vector<double> times(size());
  for (std::size_t b = 0; b < size(); ++b) times[b] = clocks[clock_of(b)].time;
  for (const auto& [sample, time] : failed_at_) times[sample] = time;
  return times;
}

std::vector<std::size_t> Samples::steps(const std::vector<Clock>& clocks) const {
  std::vector<std::size_t> steps = taken_;
  for (std::size_t b = 0; b < size(); ++b) {
    if (alive_[b]) steps[b] = static_cast<std::size_t>(clocks[clock_of(b)].accepted);
  }
  return steps;
}

void Samples::write(ode::Stats& stats, const std::vector<Clock>& clocks) const {
  stats.status = status_;
  stats.time = times(clocks);
  for (const std::size_t steps : this->steps(clocks))
    stats.accepted.push_back(static_cast<std::int64_t>(steps));
  for (std::size_t b = 0; b < size(); ++b) stats.rejected.push_back(clocks[clock_of(b)].rejected);
}

}  // namespace stillpoint::detail
