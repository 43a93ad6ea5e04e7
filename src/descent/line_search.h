#pragma once

#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

/// A line search for each sample of a batch: its step is halved until the value that has to fall falls by
/// enough, 1e-4 of what its slope promises. (Armijo 1966; Nocedal, Wright 2006, algorithm 3.1.)
class LineSearch {
 public:
  /// `value` where the steps begin, and its `slope` there: its change along a whole step, to first order.
  /// Only the `searching` samples are looked at.
  LineSearch(std::vector<double> value, std::vector<double> slope, const Mask& searching);

  /// The samples that are still without a step.
  const Mask& searching() const { return searching_; }
  /// The part of its step that each sample has come to.
  const std::vector<double>& lengths() const { return lengths_; }

  /// Takes in the values where these parts lead. True if a sample is still without a step. One that
  /// begins at infinity takes any trial but NaN.
  bool judge(const std::vector<double>& trial);
  /// Halves what the samples without a step try next.
  void halve();

 private:
  std::vector<double> value_;
  std::vector<double> slope_;
  Mask searching_;
  std::vector<double> lengths_;
};

}  // namespace stillpoint::detail
