#include "stillpoint/core/stop_test.h"

#include <ATen/TensorOperators.h>

#include <limits>

#include "core/rows/rows.h"

namespace stillpoint {

void StopTest::follow(const at::Tensor& z, const RowNorms& norms, const Mask& running, bool now) {
  if (slopes_) follow_slopes(z, norms, running, now);
  if (criterion_ == Criterion::Step) measure_step(z, norms);
}

void StopTest::follow_slopes(const at::Tensor& z, const RowNorms& norms, const Mask& running, bool now) {
  target_.resize(norms.scale.size());
  for (std::size_t b = 0; b < target_.size(); ++b) {
    target_[b] = running[b] ? tolerance_.allowed(norms.scale[b]) : 0.0;
  }
  slopes_->follow(z, norms.residual, target_, running, now);
}

// A sample that has not moved is at infinity, if it is not at its goal.
void StopTest::measure_step(const at::Tensor& z, const RowNorms& norms) {
  step_.assign(norms.residual.size(), 0.0);
  if (previous_.defined()) step_ = detail::row_norms(z - previous_, tolerance_.norm);
  for (std::size_t b = 0; b < step_.size(); ++b) {
    if (norms.residual[b] == 0.0) {
      step_[b] = 0.0;
    } else if (step_[b] == 0.0) {
      step_[b] = std::numeric_limits<double>::infinity();
    }
  }
  previous_ = z;
}

bool StopTest::solves(std::size_t sample, const RowNorms& norms) const {
  return (!slopes_ || slopes_->fresh()) && norms.finite(sample) &&
         measured(norms)[sample] <= allowed(sample, norms.scale[sample]);
}

bool StopTest::solves_none(const RowNorms& norms) const {
  if (slopes_ && slopes_->fresh()) return false;
  const std::vector<double>& numbers = measured(norms);
  int exceptions = 0;
  for (std::size_t b = 0; b < numbers.size(); ++b) {
    exceptions |= static_cast<int>(!(numbers[b] > tolerance_.allowed(norms.scale[b])));
  }
  return exceptions == 0;
}

}  // namespace stillpoint
