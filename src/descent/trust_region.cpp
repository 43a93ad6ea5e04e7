#include "descent/trust_region.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace stillpoint::detail {

double gain_ratio(double now, double predicted, double trial) {
  const double actual_gain = trial < now ? 1.0 - trial / now * (trial / now) : -1.0;
  const double predicted_gain = predicted < now ? 1.0 - predicted / now * (predicted / now) : 0.0;
  return predicted_gain > 0.0 ? actual_gain / predicted_gain : 0.0;
}

at::Tensor column_scale(const at::Tensor& matrix, const at::Tensor& before) {
  const at::Tensor columns = matrix.square().sum(1).sqrt();
  if (before.defined()) return at::maximum(before, columns);
  return at::where(columns > 0, columns, 1);
}

TrustRegion::TrustRegion(std::vector<double> radius)
    : radius_(std::move(radius)), accepted_(radius_.size()) {}

void TrustRegion::renew(const Mask& marked, const std::vector<double>& radius) {
  for (std::size_t b = 0; b < radius_.size(); ++b) {
    if (marked[b]) radius_[b] = radius[b];
  }
}

void TrustRegion::judge(const std::vector<double>& length, const std::vector<double>& ratio,
                        const Mask& running) {
  for (std::size_t b = 0; b < radius_.size(); ++b) {
    accepted_[b] = 0;
    if (running[b]) judge_one(b, length[b], ratio[b]);
  }
  first_ = false;
}

void TrustRegion::judge_one(std::size_t b, double length, double ratio) {
  if (first_) radius_[b] = std::min(radius_[b], length);
  if (!(ratio >= 0.1)) {
    radius_[b] = 0.5 * std::min(radius_[b], length);
  } else if (std::abs(ratio - 1.0) <= 0.1) {
    radius_[b] = 2.0 * length;
  } else if (ratio >= 0.5) {
    radius_[b] = std::max(radius_[b], 2.0 * length);
  }
  accepted_[b] = ratio >= 1e-4;
}

}  // namespace stillpoint::detail
