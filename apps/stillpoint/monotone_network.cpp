#include "monotone_network.h"

#include <torch/types.h>

namespace stillpoint::app {
namespace {

constexpr std::int64_t kMonotoneWidth = 87;

at::Tensor standardized(const at::Tensor& images) { return (images - 0.1307) / 0.3081; }

nn::MonotoneOptions monotone(const FixedPointOptions& options) {
  return {.monotonicity = 1.0, .activation = {}, .solve = options};
}

}  // namespace

MonotoneNetwork::MonotoneNetwork(const FixedPointOptions& options)
    : equilibrium_(
          register_module("equilibrium", nn::MonotoneLinear(784, kMonotoneWidth, monotone(options)))),
      decoder_(register_module("decoder", torch::nn::Linear(kMonotoneWidth, 10))) {}

at::Tensor MonotoneNetwork::forward(const at::Tensor& images) {
  return decoder_(equilibrium_(standardized(images)));
}

MonotoneConvNetwork::MonotoneConvNetwork(std::int64_t channels, const FixedPointOptions& options)
    : equilibrium_(register_module("equilibrium", nn::MonotoneConv2d(1, channels, 3, monotone(options)))),
      decoder_(register_module("decoder", torch::nn::Linear(channels * 7 * 7, 10))) {}

at::Tensor MonotoneConvNetwork::forward(const at::Tensor& images) {
  const auto z = equilibrium_(standardized(images).view({-1, 1, 28, 28}));
  return decoder_(torch::avg_pool2d(z, 4).flatten(1));
}

}  // namespace stillpoint::app
