#include "stillpoint/core/slopes.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace stillpoint {

Slopes::Slopes(Measure measure, std::int64_t batch)
    : measure_(std::move(measure)),
      mark_(batch, std::numeric_limits<double>::infinity()),
      slow_(batch, 0),
      patience_(batch, 1) {}

void Slopes::follow(const at::Tensor& z, const std::vector<double>& residual,
                    const std::vector<double>& target, const Mask& running, bool now) {
  fresh_ = now || slope_.empty();
  for (std::size_t b = 0; b < running.size(); ++b) {
    if (running[b] && !slope_.empty() && is_due(b, residual[b], target[b])) fresh_ = true;
  }
  if (!fresh_) return;
  slope_ = measure_(z, target);
  measured_at_ = residual;
}

// Within a hundredfold of what the last slope allows, slopes are followed more closely: they change.
bool Slopes::is_due(std::size_t sample, double residual, double target) {
  constexpr double near = 100.0;
  constexpr std::int64_t longest_patience = 32;
  if (residual <= 0.5 * mark_[sample]) {
    mark_[sample] = residual;
    slow_[sample] = 0;
    patience_[sample] = 1;
  } else if (++slow_[sample] >= patience_[sample]) {
    slow_[sample] = 0;
    patience_[sample] = std::min(2 * patience_[sample], longest_patience);
    return true;
  }
  const double allowed = target * slope_[sample];
  return residual <= allowed || (residual <= near * allowed && residual <= 0.25 * measured_at_[sample]);
}

}  // namespace stillpoint
