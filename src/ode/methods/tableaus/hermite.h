#pragma once

#include <vector>

namespace stillpoint::detail {

/// Dense output of a method whose first and last stage are the slopes at both ends: the cubic through the
/// ends and their slopes, θ²(3 − 2θ) b_i, with θ(1 − θ)² for the first stage and θ²(θ − 1) for the last.
inline std::vector<std::vector<double>> hermite(const std::vector<double>& b) {
  std::vector<std::vector<double>> interpolant;
  interpolant.reserve(b.size());
  for (const double weight : b) interpolant.push_back({0.0, 3.0 * weight, -2.0 * weight});
  interpolant.front()[0] += 1.0;
  interpolant.front()[1] -= 2.0;
  interpolant.front()[2] += 1.0;
  interpolant.back()[1] -= 1.0;
  interpolant.back()[2] += 1.0;
  return interpolant;
}

}  // namespace stillpoint::detail
