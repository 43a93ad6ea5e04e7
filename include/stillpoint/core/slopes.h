#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint {

/// What brings the residual of a root to the unit of z: of each sample the size of ∂g/∂z along its residual.
///
/// To first order no root is nearer to z than ‖g‖ / slope, so a sample is solved when that is within the
/// tolerance of z. The test does not change when g or z is measured in another unit, and no sample passes
/// where ‖g‖ has a minimum that is not zero, since the slope vanishes there.
///
/// A slope costs a recorded evaluation and a product. Where that passes a sample of at most 64 numbers, N
/// products more hold Newton's step to the tolerance as well. Slopes are measured at the start, where the
/// last one says that the sample may be solved, and, ever more rarely, where its residual falls slowly: so a
/// solve that converges fast measures two or three.
class Slopes {
 public:
  /// Of each sample of z, `[B, …]`, the slope at z: a lower one is wanted only if that passes a sample, whose
  /// residual has to come down to its entry of `target` times the slope.
  using Measure = std::function<std::vector<double>(const at::Tensor& z, const std::vector<double>& target)>;

  Slopes(Measure measure, std::int64_t batch);

  /// Measures at z if a running sample calls for it, or if `now` does. `residual` are the norms there,
  /// `target` those that the residuals have to come down to for slopes of one.
  void follow(const at::Tensor& z, const std::vector<double>& residual, const std::vector<double>& target,
              const Mask& running, bool now);

  /// Whether the slopes are those at the z that was followed last. No sample is solved by an older one.
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
