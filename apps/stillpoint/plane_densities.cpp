#include "plane_densities.h"

#include <torch/types.h>

#include <cmath>
#include <numbers>

namespace stillpoint::app {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;
constexpr std::int64_t kRidgePoints = 1024;  // of a circle: a tenth of the least deviation apart

/// Points at the angles from `first` to `last`, without the last.
at::Tensor arc(double radius, double first, double last, std::int64_t count) {
  const auto angle = first + (last - first) * torch::arange(count, torch::kFloat) / count;
  return radius * torch::stack({angle.cos(), angle.sin()}, 1);
}

}  // namespace

at::Tensor PlaneDensity::draw(std::int64_t count) const {
  const auto which = torch::randint(ridge.size(0), {count}, torch::kLong);
  return ridge.index_select(0, which) + deviation * torch::randn({count, 2});
}

at::Tensor PlaneDensity::log_prob(const at::Tensor& points) const {
  const auto distances = torch::cdist(points, ridge) / deviation;
  const double peak = std::log(kTurn * deviation * deviation * static_cast<double>(ridge.size(0)));
  return torch::logsumexp(-0.5 * distances.square(), 1) - peak;
}

PlaneDensity two_circles() {
  return {.name = "two circles",
          .ridge = torch::cat({arc(1, 0, kTurn, kRidgePoints), arc(0.5, 0, kTurn, kRidgePoints)}),
          .deviation = 0.06};
}

PlaneDensity eight_blots() {
  return {.name = "8 gaussians", .ridge = arc(4 / 1.414, 0, kTurn, 8), .deviation = 0.5 / 1.414};
}

PlaneDensity two_moons() {
  const auto upper = arc(2, 0, kTurn / 2, kRidgePoints);
  return {.name = "two moons",
          .ridge = torch::cat({upper + torch::tensor({-1.0, -0.5}), torch::tensor({1.0, 0.5}) - upper}),
          .deviation = 0.2};
}

}  // namespace stillpoint::app
