#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint {

/// Converts the residual of a root to the unit of z. The slope of a sample is the size of ∂g/∂z along its
/// residual.
///
/// To first order no root is nearer to z than ‖g‖ / slope. So a sample is solved when that is within the
/// tolerance of z. The test does not change if g or z is measured in another unit. And no sample passes at a
/// minimum of ‖g‖ that is not zero, because the slope vanishes there.
///
/// A slope costs a recorded evaluation and a product. If it passes a sample of at most 64 numbers, N more
/// products hold Newton's step to the tolerance as well. Slopes are measured at the start, where the last one
/// says that the sample may be solved, and, more and more rarely, while the residual falls slowly. So a solve
/// that converges fast measures two or three.
class Slopes {
 public:
  /// The slope at z, for each sample of `[B, …]`. A lower one is wanted only if the slope passes a sample,
  /// whose residual has to come down to its entry of `target` times the slope.
  using Measure = std::function<std::vector<double>(const at::Tensor& z, const std::vector<double>& target)>;

  Slopes(Measure measure, std::int64_t batch);

  /// Measures at z if a running sample needs it, or if `now` is set. `residual` has the norms there, and
  /// `target` the norms that they would have to fall to if the slopes were one.
  void follow(const at::Tensor& z, const std::vector<double>& residual, const std::vector<double>& target,
              const Mask& running, bool now);

  /// Whether the slopes are those at the z that was followed last. No older slope decides that a sample is
  /// solved.
  bool fresh() const { return fresh_; }
  double operator[](std::size_t sample) const { return slope_[sample]; }

 private:
  bool is_due(std::size_t sample, double residual, double target);

  Measure measure_;
  std::vector<double> slope_;           // empty until they are measured
  std::vector<double> measured_at_;     // the residual then
  std::vector<double> mark_;            // a residual, to be halved
  std::vector<std::int64_t> slow_;      // steps since, without that
  std::vector<std::int64_t> patience_;  // how many of those there may be
  bool fresh_ = false;
};

}  // namespace stillpoint
