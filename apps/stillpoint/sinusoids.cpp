#include "sinusoids.h"

#include <torch/types.h>

#include <cmath>
#include <utility>

namespace stillpoint::app {
namespace {

at::Tensor drawn_uniformly(at::IntArrayRef shape, double lower, double upper) {
  return torch::empty(shape, torch::kFloat).uniform_(lower, upper);
}

constexpr std::int64_t kRegressorWidth = 40;

}  // namespace

Sinusoids Sinusoids::draw(std::int64_t tasks) {
  auto amplitude = drawn_uniformly({tasks, 1, 1}, 0.1, 5.0);
  return {std::move(amplitude), drawn_uniformly({tasks, 1, 1}, 0.0, M_PI)};
}

Points Sinusoids::points(std::int64_t count) const {
  auto x = drawn_uniformly({amplitude.size(0), count, 1}, -5.0, 5.0);
  auto y = (*this)(x);
  return {std::move(x), std::move(y)};
}

at::Tensor Sinusoids::operator()(const at::Tensor& x) const { return amplitude * (x - phase).sin(); }

Weights initial_weights() {
  Weights weights;
  for (const auto& [in, out] : {std::pair{std::int64_t{1}, kRegressorWidth},
                                {kRegressorWidth, kRegressorWidth},
                                {kRegressorWidth, 1}}) {
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    weights.push_back(drawn_uniformly({1, in, out}, -bound, bound).requires_grad_());
    weights.push_back(drawn_uniformly({1, 1, out}, -bound, bound).requires_grad_());
  }
  return weights;
}

Weights shared_by(std::int64_t tasks, const Weights& weights) {
  Weights all;
  all.reserve(weights.size());
  for (const auto& one : weights) all.push_back(one.expand({tasks, one.size(1), one.size(2)}));
  return all;
}

at::Tensor predict(const Weights& weights, const at::Tensor& x) {
  auto values = x;
  for (std::size_t i = 0; i < weights.size(); i += 2) {
    values = torch::baddbmm(weights[i + 1], values, weights[i]);
    if (i + 2 < weights.size()) values = values.relu();
  }
  return values;
}

at::Tensor squared_errors(const Weights& weights, const Points& points) {
  return (predict(weights, points.x) - points.y).square().mean({1, 2});
}

}  // namespace stillpoint::app
