#include "optim/minimizers/region_descent.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <limits>
#include <utility>

#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

constexpr double kFarther = 1e30;  // than the first radius: as far as a line search goes

std::vector<double> dots(const at::Tensor& x, const at::Tensor& y) {
  return to_host(row_dot(x, y).reshape({x.size(0)}));
}

}  // namespace

RegionDescent::RegionDescent(Descent& descent, std::optional<double> first_radius)
    : descent_(descent),
      first_radius_(first_radius),
      region_(std::vector<double>(descent.running().size(), 0.0)),
      farthest_(descent.running().size(), 0.0) {}

bool RegionDescent::goes_on() {
  if (!descent_.goes_on()) return false;
  const Mask& renewed = descent_.renewed();
  if (!renewed.any()) return true;
  const at::Tensor gradient = descent_.free_gradient();
  std::vector<double> radius(renewed.size(), first_radius_.value_or(0.0));
  if (!first_radius_) radius = row_norms((descent_.cauchy_length() * gradient).contiguous(), Norm::Euclidean);
  region_.renew(renewed, radius);
  for (std::size_t b = 0; b < radius.size(); ++b) {
    if (renewed[b]) farthest_[b] = kFarther * radius[b];
  }
  moved_ = true;
  return true;
}

at::Tensor RegionDescent::radius() const { return to_column(region_.radius(), descent_.point().x); }

// The fall of the values over the predicted one. Where it drowns in rounding, the gradients at both ends say
// what it is.
std::vector<double> RegionDescent::gains(const at::Tensor& taken, const std::vector<double>& predicted,
                                         const DescentPoint& trial) const {
  const DescentPoint& here = descent_.point();
  const std::vector<double> noise = descent_.rounding();
  const std::vector<double> mean = dots(here.gradient + trial.gradient, taken);
  std::vector<double> ratio(predicted.size());
  for (std::size_t b = 0; b < ratio.size(); ++b) {
    const double fall = here.value[b] - trial.value[b];
    const double gain = std::abs(fall) <= noise[b] ? -0.5 * mean[b] : fall;
    ratio[b] = predicted[b] > 0.0 && std::isfinite(gain) ? gain / predicted[b] : -1.0;
  }
  return ratio;
}

void RegionDescent::advance(const ModelStep& proposal, const Map& hessian) {
  const DescentPoint& here = descent_.point();
  DescentPoint trial = descent_.at(proposal.step);
  const bool bends = descent_.is_bounded();
  const at::Tensor taken = bends ? trial.x - here.x : proposal.step;
  const at::Tensor product = bends ? hessian(taken) : proposal.product;
  std::vector<double> predicted = dots(here.gradient + 0.5 * product, taken);
  for (double& number : predicted) number = -number;
  const std::vector<double> length = row_norms(proposal.step, Norm::Euclidean);
  region_.judge(length, gains(taken, predicted, trial), descent_.running());

  const std::vector<double> noise = descent_.rounding();
  const std::vector<double> slope = row_norms(descent_.free_gradient(), Norm::Euclidean);
  Mask hopeless(length.size()), unbounded(length.size());
  for (std::size_t b = 0; b < length.size(); ++b) {
    const bool accepted = region_.accepted()[b] != 0;
    unbounded[b] =
        trial.value[b] == -std::numeric_limits<double>::infinity() || (accepted && length[b] > farthest_[b]);
    hopeless[b] = !accepted && !(slope[b] * region_.radius()[b] > 1e-3 * noise[b]);
  }
  moved_ = region_.accepted().any();
  descent_.take(std::move(trial), region_.accepted(), hopeless, unbounded);
}

}  // namespace stillpoint::detail
