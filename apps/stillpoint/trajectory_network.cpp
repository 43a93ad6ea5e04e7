#include "trajectory_network.h"

#include <torch/nn/init.h>
#include <torch/types.h>

namespace stillpoint::app {

void SpiralFieldImpl::reset() {
  inner_ = register_module("inner", torch::nn::Linear(2, 50));
  outer_ = register_module("outer", torch::nn::Linear(50, 2));
  for (const auto& layer : {inner_, outer_}) {
    torch::nn::init::normal_(layer->weight, 0.0, 0.1);
    torch::nn::init::zeros_(layer->bias);
  }
}

at::Tensor SpiralFieldImpl::forward(const at::Tensor& y) {
  ++calls;
  return outer_(torch::tanh(inner_(y * y * y)));
}

void LotkaVolterraFieldImpl::reset() { log_rates_ = register_parameter("log_rates", torch::zeros({4})); }

at::Tensor LotkaVolterraFieldImpl::forward(const at::Tensor& y) {
  ++calls;
  const auto rates = log_rates_.exp();
  const auto prey = y.select(1, 0), predators = y.select(1, 1);
  const auto met = prey * predators;
  return torch::stack({rates[0] * prey - rates[1] * met, rates[3] * met - rates[2] * predators}, 1);
}

}  // namespace stillpoint::app
