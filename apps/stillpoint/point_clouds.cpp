#include "point_clouds.h"

#include <torch/types.h>

#include <numbers>
#include <tuple>

namespace stillpoint::app {
namespace {

using std::numbers::pi;

constexpr std::int64_t kParts = 8;
constexpr double kRadius = 2 / 1.414, kGaussianDeviation = 0.02 / 1.414;
constexpr double kRollScale = 7.5, kRollDeviation = 0.25;
constexpr double kNear = 0.15;

at::Tensor on_circle(const at::Tensor& angle) {
  return kRadius * torch::stack({angle.cos(), angle.sin()}, 1);
}

at::Tensor draw_gaussians(std::int64_t count) {
  const auto which = torch::randint(kParts, {count}, torch::kFloat);
  return on_circle(which * (2 * pi / kParts)) + kGaussianDeviation * torch::randn({count, 2});
}

at::Tensor on_roll(const at::Tensor& u) {
  const auto t = 1.5 * pi * (1 + 2 * u);
  return torch::stack({t * t.cos(), t * t.sin()}, 1) / kRollScale;
}

at::Tensor draw_roll(std::int64_t count) {
  return on_roll(torch::rand({count})) + kRollDeviation / kRollScale * torch::randn({count, 2});
}

}  // namespace

PointCloud eight_gaussians() {
  return {.name = "8 gaussians",
          .draw = draw_gaussians,
          .ridge = on_circle(torch::arange(kParts, torch::kFloat) * (2 * pi / kParts))};
}

PointCloud swiss_roll() {
  const std::int64_t points = 100 * kParts;
  return {.name = "swiss roll",
          .draw = draw_roll,
          .ridge = on_roll((torch::arange(points, torch::kFloat) + 0.5) / points)};
}

Agreement agreement(const PointCloud& cloud, const at::Tensor& samples) {
  const auto [distance, nearest] = torch::cdist(samples, cloud.ridge).min(1);
  const auto close = distance <= kNear;
  const auto part = torch::div(nearest, cloud.ridge.size(0) / kParts, "floor");
  const auto counts = torch::bincount(part.masked_select(close), {}, kParts);
  const auto share = static_cast<double>(samples.size(0)) / kParts;
  return {.modes = (counts >= share / 4).sum().item<std::int64_t>(),
          .within = close.to(torch::kDouble).mean().item<double>(),
          .median_distance = distance.median().item<double>()};
}

}  // namespace stillpoint::app
