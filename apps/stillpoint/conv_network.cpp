#include "conv_network.h"

#include <torch/types.h>

#include "stillpoint/nn/residual_conv.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kChannels = 48;
constexpr std::int64_t kFine = 24, kCoarse = 48;

}  // namespace

ConvNetwork::ConvNetwork(const FixedPointOptions& options)
    : encoder_(register_module(
          "encoder", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, kChannels, 3).padding(1).bias(false)))),
      norm_before_(register_module("norm_before", torch::nn::BatchNorm2d(kChannels))),
      equilibrium_(register_module(
          "equilibrium", nn::FixedPoint(torch::nn::AnyModule(nn::ResidualConv(nn::ResidualConvOptions{
                                            .channels = kChannels, .inner = 64, .groups = 8})),
                                        options))),
      norm_after_(register_module("norm_after", torch::nn::BatchNorm2d(kChannels))),
      decoder_(register_module("decoder", torch::nn::Linear(kChannels * 4 * 4, 10))) {}

at::Tensor ConvNetwork::forward(const at::Tensor& images) {
  const auto x = norm_before_(encoder_(images.view({-1, 1, 28, 28})));
  const auto z = norm_after_(equilibrium_(x));
  return decoder_(torch::avg_pool2d(z, 7).flatten(1));
}

MultiscaleNetwork::MultiscaleNetwork(const FixedPointOptions& options)
    : encoder_(register_module(
          "encoder",
          torch::nn::Conv2d(torch::nn::Conv2dOptions(1, kFine, 3).padding(1).stride(2).bias(false)))),
      norm_before_(register_module("norm_before", torch::nn::BatchNorm2d(kFine))),
      equilibrium_(
          register_module("equilibrium", nn::Multiscale(nn::MultiscaleOptions{
                                             .channels = {kFine, kCoarse}, .groups = 8, .solve = options}))),
      norm_fine_(register_module("norm_fine", torch::nn::BatchNorm2d(kFine))),
      norm_coarse_(register_module("norm_coarse", torch::nn::BatchNorm2d(kCoarse))),
      decoder_(register_module("decoder", torch::nn::Linear((kFine + kCoarse) * 2 * 2, 10))) {}

at::Tensor MultiscaleNetwork::forward(const at::Tensor& images) {
  const auto z = equilibrium_(norm_before_(encoder_(images.view({-1, 1, 28, 28}))).relu());
  const auto regions = [](const at::Tensor& features) {
    return torch::adaptive_avg_pool2d(features, {2, 2}).flatten(1);
  };
  return decoder_(torch::cat({regions(norm_fine_(z[0])), regions(norm_coarse_(z[1]))}, 1));
}

}  // namespace stillpoint::app
