#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "support/device.h"

namespace stillpoint::test {

/// A layer of the state `[3, 4]` in two leaves, a weight `[4, 4]` and an input `[3, 4]`.
struct Case {
  std::string name;
  std::function<Tensor(const Tensor& w, const Tensor& x)> layer;
  int orders = 2;  ///< of derivatives that are compared
  /// How far results may be apart. 0: bit by bit, for the first order; a graph made on another thread is
  /// walked in another order, so that higher orders agree to rounding.
  double tolerance = 0.0;
};

inline std::ostream& operator<<(std::ostream& out, const Case& each) { return out << each.name; }

/// Every kind of node of ours, and nodes inside of each other.
std::vector<Case> cases();

}  // namespace stillpoint::test
