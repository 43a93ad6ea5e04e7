#include "descent/line_search.h"

#include <cmath>
#include <utility>

namespace stillpoint::detail {

LineSearch::LineSearch(std::vector<double> value, std::vector<double> slope, const Mask& searching)
    : value_(std::move(value)),
      slope_(std::move(slope)),
      searching_(searching),
      lengths_(value_.size(), 1.0) {}

bool LineSearch::judge(const std::vector<double>& trial) {
  constexpr double armijo = 1e-4;
  for (std::size_t b = 0; b < value_.size(); ++b) {
    const double promised = std::isfinite(value_[b]) ? lengths_[b] * slope_[b] : 0.0;
    searching_[b] = searching_[b] && !(trial[b] <= value_[b] + armijo * promised);
  }
  return searching_.any();
}

void LineSearch::halve() {
  for (std::size_t b = 0; b < lengths_.size(); ++b) {
    if (searching_[b]) lengths_[b] *= 0.5;
  }
}

}  // namespace stillpoint::detail
