#pragma once

#include <cstdint>
#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

/// A line search for each sample of a batch, for a length at which the value has fallen by enough and is
/// level enough: the strong Wolfe conditions. It widens the step until it brackets such a
/// length, then narrows the bracket by cubic interpolation. (Nocedal, Wright 2006, algorithms 3.5 and 3.6.)
///
/// Near a minimum the fall drowns in the rounding of the value. There a change within the rounding is taken
/// if the slopes at both ends promise a fall. (Hager, Zhang 2005, SIAM Journal on Optimization 16, section
/// 4.)
class WolfeSearch {
 public:
  /// Where a sample begins: its value, its slope along the direction, the rounding of its value.
  struct Start {
    double value = 0.0;
    double slope = 0.0;
    double rounding = 0.0;
    double excess = 0.0;  ///< how far above its value the fall may begin, ≥ 0
  };

  /// Only the `searching` samples are looked at; `first` has the lengths that they try first. The slope has
  /// to come to this `level`, as a part of what it was; infinity: to any, for paths that bend, where it says
  /// little of what follows.
  WolfeSearch(std::vector<Start> start, std::vector<double> first, const Mask& searching, double level);

  /// The samples that are still without a length; those that have given up are not among them.
  const Mask& searching() const { return searching_; }
  const Mask& found() const { return found_; }
  /// The samples whose value fell as far as the search went.
  const Mask& unbounded() const { return unbounded_; }
  /// What each sample tries next, or what it has found.
  const std::vector<double>& lengths() const { return lengths_; }

  /// Takes in the values and slopes at these lengths. True if a sample is still without one.
  bool judge(const std::vector<double>& value, const std::vector<double>& slope);

 private:
  struct End {
    double length = 0.0;
    double value = 0.0;
    double slope = 0.0;
  };

  void judge_one(std::size_t b, const End& trial);
  bool falls(const Start& start, const End& trial) const;
  bool is_level(const Start& start, const End& trial) const;
  bool is_bracketed(std::size_t b) const;
  double next(std::size_t b) const;

  std::vector<Start> start_;
  std::vector<double> lengths_;
  Mask searching_, found_, unbounded_;
  double level_;
  bool fall_only_;
  std::vector<End> low_;   // has fallen by enough and still slopes down
  std::vector<End> high_;  // beyond what is wanted; of infinite length at first
  std::int64_t trials_ = 0;
};

}  // namespace stillpoint::detail
