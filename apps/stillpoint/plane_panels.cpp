#include "plane_panels.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <iterator>

#include "dataset.h"

namespace stillpoint::app {

std::vector<std::pair<double, double>> places(const at::Tensor& points) {
  const auto x = numbers_of(points.select(1, 0)), y = numbers_of(points.select(1, 1));
  std::vector<std::pair<double, double>> pairs;
  std::ranges::transform(x, y, std::back_inserter(pairs),
                         [](double first, double second) { return std::pair(first, second); });
  return pairs;
}

Surface surface_over(double half_width, const std::function<at::Tensor(const at::Tensor& points)>& f) {
  constexpr std::int64_t grid_points = 93;
  const auto axis = torch::linspace(-half_width, half_width, grid_points);
  const auto rows = torch::meshgrid({axis, axis}, "ij");  // the first counts rows, that is y
  const auto points = torch::stack({rows[1].flatten(), rows[0].flatten()}, 1);
  return {.x = numbers_of(axis), .y = numbers_of(axis), .values = numbers_of(f(points))};
}

std::string map_settings(double half_width) {
  return fmt::format(
      "set xrange [-{0}:{0}]\nset yrange [-{0}:{0}]\nset size square\n"
      "set xtics 1\nset ytics 1\nunset grid\nset key top left opaque\n",
      half_width);
}

}  // namespace stillpoint::app
