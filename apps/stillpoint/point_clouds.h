#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace stillpoint::app {

/// A distribution of points in the plane that is concentrated along `ridge`.
struct PointCloud {
  std::string name;
  at::Tensor (*draw)(std::int64_t count);  ///< points [count, 2], float, from LibTorch's own generator
  /// Where the density is highest: [N, 2], in eight parts of the same size, one after the other, that are
  /// equally likely.
  at::Tensor ridge;
};

/// Eight normal distributions of deviation 0.02, on a circle of radius 2, all divided by 1.414. (Gulrajani et
/// al. 2017, Improved Training of Wasserstein GANs, as in the code that was published with it.)
PointCloud eight_gaussians();

/// (t cos t, t sin t) with t = 1.5 π (1 + 2 u) and u uniform in [0, 1], and normal noise of deviation 0.25,
/// all divided by 7.5. (The same source.)
PointCloud swiss_roll();

/// How well samples [N, 2] agree with a cloud.
struct Agreement {
  std::int64_t modes = 0;      ///< of the eight parts, those that get at least a quarter of their share
  double within = 0;           ///< fraction of the samples at most 0.15 from the ridge
  double median_distance = 0;  ///< to the nearest point of the ridge
};
Agreement agreement(const PointCloud& cloud, const at::Tensor& samples);

}  // namespace stillpoint::app
