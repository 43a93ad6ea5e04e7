#include "curve_network.h"

#include <torch/types.h>

#include <utility>

namespace stillpoint::app {
namespace {

constexpr std::int64_t kUnits = 50;

}  // namespace

CurveNetwork::CurveNetwork(double gamma, FixedPointOptions options)
    : gamma_(gamma),
      options_(std::move(options)),
      encoder_(register_module("encoder", torch::nn::Linear(1, kUnits))),
      inner_(
          register_module("inner", torch::nn::Linear(torch::nn::LinearOptions(kUnits, kUnits).bias(false)))),
      outer_(register_module("outer", torch::nn::Linear(kUnits, kUnits))),
      decoder_(register_module("decoder", torch::nn::Linear(kUnits, 1))) {}

at::Tensor CurveNetwork::forward(const at::Tensor& x) {
  const auto injected = encoder_(x);
  map_ = [injected, inner = inner_, outer = outer_](const at::Tensor& z) mutable {
    return outer(torch::relu(inner(z) + injected));
  };
  auto solution = fixed_point(map_, torch::zeros_like(injected), options_);
  stats_ = std::move(solution.stats);
  z_ = solution.value.detach();
  return decoder_(solution.value);
}

at::Tensor CurveNetwork::penalty() { return jacobian_penalty(gamma_, map_, z_); }

}  // namespace stillpoint::app
