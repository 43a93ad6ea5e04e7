#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "plot.h"

// Pictures of the square of that half width around the middle of the plane.
namespace stillpoint::app {

/// Points [N, 2].
std::vector<std::pair<double, double>> places(const at::Tensor& points);

/// A function from points [N, 2] to numbers [N].
Surface surface_over(double half_width, const std::function<at::Tensor(const at::Tensor& points)>& f);

/// Of a panel.
std::string map_settings(double half_width);

}  // namespace stillpoint::app
