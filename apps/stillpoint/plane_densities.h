#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace stillpoint::app {

/// A density in the plane: equal normal distributions along `ridge`, so close to each other that what they
/// are along is a line, or a few of them apart.
struct PlaneDensity {
  std::string name;
  at::Tensor ridge;  ///< [N, 2]
  double deviation = 1;

  /// Points [count, 2], float, from LibTorch's own generator.
  at::Tensor draw(std::int64_t count) const;
  /// The logarithm of the density at points [B, 2], exactly: [B].
  at::Tensor log_prob(const at::Tensor& points) const;
};

/// Of radius 1 and 0.5, each half of the points, with a deviation of 0.06. Entropy: 0.790 nats.
PlaneDensity two_circles();
/// Eight on a circle of radius 4 with a deviation of 0.5, all divided by 1.414. Entropy: 2.838 nats.
PlaneDensity eight_blots();
/// Two half circles of radius 2, one inside the other's bow, with a deviation of 0.2.
PlaneDensity two_moons();

}  // namespace stillpoint::app
