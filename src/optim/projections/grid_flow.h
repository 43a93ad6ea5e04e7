#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace stillpoint::detail {

/// Numbers y on a grid, and forces between neighbors, each at most a limit, that take from one what they give
/// to the other.
///
/// The grid is cut into regions. `level` makes the numbers of a region as equal as forces inside it can: a
/// maximum flow from the pixels above a level to those below, by preflow-push with exact distances from time
/// to time (Goldberg, Tarjan 1988). It starts from the forces that are there already. What remains above the
/// level then is enclosed by forces at their limit, which is a minimum cut.
///
/// Pixels have numbers row by row, in a grid with a border one pixel wide.
class GridFlow {
 public:
  using Pixels = std::vector<std::int64_t>;

  GridFlow(const double* y, std::int64_t height, std::int64_t width, double limit);

  /// All pixels, row by row; at first they are one region.
  Pixels pixels() const;
  std::int64_t below(std::int64_t pixel) const { return pixel + stride_; }
  std::int64_t region(std::int64_t pixel) const { return region_[pixel]; }
  /// What goes from a pixel to its neighbor on the right, or below.
  double to_right(std::int64_t pixel) const { return flow_[2 * pixel]; }
  double to_below(std::int64_t pixel) const { return flow_[2 * pixel + 1]; }
  /// What the forces leave of y.
  double left(std::int64_t pixel) const;
  /// The mean of what is left in a region, to rounding.
  double mean(const Pixels& region) const;
  /// What rounding can amount to in a region of so many pixels.
  double rounding(std::size_t pixels) const { return 2.0 * noise_ * static_cast<double>(pixels); }

  /// Levels a connected region; the sum of what remains above.
  double level(const Pixels& region, double level);
  /// Cuts the region that was levelled last into connected parts, each above or below; regions of their own.
  std::vector<Pixels> cut(const Pixels& region);
  /// Whether no set of pixels in a region that has been levelled is enclosed by forces within `least` of
  /// their limit, all outward or all inward.
  bool holds_together(const Pixels& region, double least);

 private:
  static constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max() / 2;
  static constexpr int kDirections = 4;  // right, left, below, above: opposites differ in the last bit
  enum class Way : std::uint8_t { Along, Against };

  std::int64_t neighbor(std::int64_t pixel, int direction) const { return pixel + offset_[direction]; }
  std::int64_t edge(std::int64_t pixel, int direction) const {
    return 2 * (direction % 2 == 0 ? pixel : neighbor(pixel, direction)) + direction / 2;
  }
  // How much more can go from a pixel in a direction.
  double room(std::int64_t pixel, int direction) const {
    const double flow = flow_[edge(pixel, direction)];
    return limit_ - (direction % 2 == 0 ? flow : -flow);
  }
  void push(std::int64_t pixel, int direction, double room);
  void discharge(std::int64_t pixel);
  std::int64_t flood(const Pixels& region, const Pixels& from, Way way, double least);
  void find_distances(const Pixels& region);
  Pixels component(std::int64_t first);

  double limit_;
  std::int64_t stride_;
  std::int64_t offset_[kDirections];
  double noise_;  // of what is left at a pixel
  std::vector<double> y_;
  std::vector<double> flow_;          // to the right and below, of each pixel
  std::vector<std::int64_t> region_;  // −1 on the border
  std::int64_t regions_ = 1;
  std::vector<double> excess_;          // above the level
  std::vector<std::int64_t> distance_;  // in a flood; from the nearest pixel below the level in `level`
  Pixels active_;                       // to be discharged, first in, first out
  std::int64_t relabels_ = 0;
};

}  // namespace stillpoint::detail
