#include "optim/projections/grid_flow.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace stillpoint::detail {

GridFlow::GridFlow(const double* y, std::int64_t height, std::int64_t width, double limit)
    : limit_(limit), stride_(width + 2), offset_{1, -1, stride_, -stride_} {
  const std::int64_t padded = (height + 2) * stride_;
  y_.assign(padded, 0.0);
  region_.assign(padded, -1);
  double largest = 0.0;
  for (std::int64_t r = 0; r < height; ++r) {
    for (std::int64_t c = 0; c < width; ++c) {
      const std::int64_t pixel = (r + 1) * stride_ + c + 1;
      y_[pixel] = y[r * width + c];
      region_[pixel] = 0;
      largest = std::max(largest, std::abs(y_[pixel]));
    }
  }
  noise_ = 4.0 * std::numeric_limits<double>::epsilon() * (largest + kDirections * limit);
  flow_.assign(2 * padded, 0.0);
  excess_.assign(padded, 0.0);
  distance_.assign(padded, kFar);
}

GridFlow::Pixels GridFlow::pixels() const {
  Pixels all;
  for (std::size_t p = 0; p < region_.size(); ++p) {
    if (region_[p] >= 0) all.push_back(static_cast<std::int64_t>(p));
  }
  return all;
}

double GridFlow::left(std::int64_t pixel) const {
  return y_[pixel] - (flow_[2 * pixel] - flow_[2 * (pixel - 1)]) -
         (flow_[2 * pixel + 1] - flow_[2 * (pixel - stride_) + 1]);
}

double GridFlow::mean(const Pixels& region) const {
  const auto size = static_cast<double>(region.size());
  double mean = 0.0;
  for (int pass = 0; pass < 2; ++pass) {  // the second corrects what the first has rounded
    double sum = 0.0;
    for (const std::int64_t p : region) sum += left(p) - mean;
    mean += sum / size;
  }
  return mean;
}

// Marks what `from` reaches inside the region, or what reaches it, where there is room for more than `least`,
// with its distance. How many pixels that are.
std::int64_t GridFlow::flood(const Pixels& region, const Pixels& from, Way way, double least) {
  for (const std::int64_t p : region) distance_[p] = kFar;
  for (const std::int64_t p : from) distance_[p] = 0;
  Pixels reached = from;
  for (std::size_t next = 0; next < reached.size(); ++next) {
    const std::int64_t p = reached[next];
    for (int d = 0; d < kDirections; ++d) {
      const std::int64_t q = neighbor(p, d);
      if (region_[q] != region_[p] || distance_[q] != kFar) continue;
      if ((way == Way::Along ? room(p, d) : room(q, d ^ 1)) <= least) continue;
      distance_[q] = distance_[p] + 1;
      reached.push_back(q);
    }
  }
  return static_cast<std::int64_t>(reached.size());
}

void GridFlow::find_distances(const Pixels& region) {
  Pixels below;
  for (const std::int64_t p : region) {
    if (excess_[p] < 0.0) below.push_back(p);
  }
  flood(region, below, Way::Against, 0.0);
  relabels_ = 0;
}

void GridFlow::push(std::int64_t pixel, int direction, double room) {
  const std::int64_t to = neighbor(pixel, direction);
  const double sign = direction % 2 == 0 ? 1.0 : -1.0;
  double& flow = flow_[edge(pixel, direction)];
  const double amount = std::min(excess_[pixel], room);
  flow = amount == room ? sign * limit_ : flow + sign * amount;  // a full edge is full to the bit
  excess_[pixel] -= amount;
  const bool was_active = excess_[to] > 0.0;
  excess_[to] += amount;
  if (!was_active && excess_[to] > 0.0) active_.push_back(to);
}

// Until nothing is above the level, or nothing below it can be reached.
void GridFlow::discharge(std::int64_t pixel) {
  while (excess_[pixel] > 0.0 && distance_[pixel] < kFar) {
    std::int64_t nearest = kFar;
    for (int d = 0; d < kDirections; ++d) {
      const std::int64_t q = neighbor(pixel, d);
      if (region_[q] != region_[pixel]) continue;
      const double more = room(pixel, d);
      if (more <= 0.0) continue;
      if (distance_[pixel] != distance_[q] + 1) {
        nearest = std::min(nearest, distance_[q] + 1);
        continue;
      }
      push(pixel, d, more);
      if (excess_[pixel] == 0.0) return;
    }
    distance_[pixel] = std::min(nearest, kFar);
    ++relabels_;
  }
}

double GridFlow::level(const Pixels& region, double level) {
  active_.clear();
  for (const std::int64_t p : region) {
    excess_[p] = left(p) - level;
    if (std::abs(excess_[p]) <= noise_) excess_[p] = 0.0;
    if (excess_[p] > 0.0) active_.push_back(p);
  }
  const auto size = static_cast<std::int64_t>(region.size());
  find_distances(region);
  for (std::size_t next = 0; next < active_.size(); ++next) {
    discharge(active_[next]);
    if (relabels_ < size) continue;
    active_.erase(active_.begin(), active_.begin() + static_cast<std::int64_t>(next) + 1);
    next = static_cast<std::size_t>(-1);
    find_distances(region);
  }
  double above = 0.0;
  for (const std::int64_t p : region) above += std::max(excess_[p], 0.0);
  return above;
}

// The pixels around `first` of its region that are on the same side, as a region of their own.
GridFlow::Pixels GridFlow::component(std::int64_t first) {
  const std::int64_t from = region_[first];
  const bool above = distance_[first] < kFar;
  Pixels found = {first};
  region_[first] = regions_;
  for (std::size_t next = 0; next < found.size(); ++next) {
    for (int d = 0; d < kDirections; ++d) {
      const std::int64_t q = neighbor(found[next], d);
      if (region_[q] != from || (distance_[q] < kFar) != above) continue;
      region_[q] = regions_;
      found.push_back(q);
    }
  }
  ++regions_;
  return found;
}

std::vector<GridFlow::Pixels> GridFlow::cut(const Pixels& region) {
  Pixels above;
  for (const std::int64_t p : region) {
    if (excess_[p] > 0.0) above.push_back(p);
  }
  flood(region, above, Way::Along, 0.0);
  const std::int64_t from = region_[region.front()];
  std::vector<Pixels> parts;
  for (const std::int64_t p : region) {
    if (region_[p] == from) parts.push_back(component(p));
  }
  return parts;
}

bool GridFlow::holds_together(const Pixels& region, double least) {
  const Pixels one = {region.front()};
  const auto size = static_cast<std::int64_t>(region.size());
  return flood(region, one, Way::Along, least) == size && flood(region, one, Way::Against, least) == size;
}

}  // namespace stillpoint::detail
