#include "conv_network.h"

#include <torch/types.h>

namespace stillpoint::app {
namespace {

constexpr std::int64_t kChannels = 48;
constexpr std::int64_t kFine = 24, kCoarse = 48;

}  // namespace

ConvNetwork::ConvNetwork(double gamma, const FixedPointOptions& options)
    : gamma_(gamma),
      encoder_(register_module(
          "encoder", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, kChannels, 3).padding(1).bias(false)))),
      norm_before_(register_module("norm_before", torch::nn::BatchNorm2d(kChannels))),
      cell_(nn::ResidualConvOptions{.channels = kChannels, .inner = 64, .groups = 8}),
      equilibrium_(register_module("equilibrium", nn::FixedPoint(torch::nn::AnyModule(cell_), options))),
      norm_after_(register_module("norm_after", torch::nn::BatchNorm2d(kChannels))),
      decoder_(register_module("decoder", torch::nn::Linear(kChannels * 4 * 4, 10))) {}

at::Tensor ConvNetwork::forward(const at::Tensor& images) {
  injected_ = norm_before_(encoder_(images.view({-1, 1, 28, 28})));
  const auto z = equilibrium_(injected_);
  z_ = z.detach();
  return decoder_(torch::avg_pool2d(norm_after_(z), 7).flatten(1));
}

at::Tensor ConvNetwork::penalty() {
  return jacobian_penalty(
      gamma_, [this](const at::Tensor& z) { return cell_(z, injected_); }, z_);
}

MultiscaleNetwork::MultiscaleNetwork(double gamma, const FixedPointOptions& options)
    : gamma_(gamma),
      encoder_(register_module(
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
  features_ = norm_before_(encoder_(images.view({-1, 1, 28, 28}))).relu();
  const auto z = equilibrium_(features_);
  z_ = {z[0].detach(), z[1].detach()};
  const auto regions = [](const at::Tensor& features) {
    return torch::adaptive_avg_pool2d(features, {2, 2}).flatten(1);
  };
  return decoder_(torch::cat({regions(norm_fine_(z[0])), regions(norm_coarse_(z[1]))}, 1));
}

at::Tensor MultiscaleNetwork::penalty() {
  const auto map = [this](const std::vector<at::Tensor>& z) {
    return equilibrium_->cell(z, equilibrium_->inject(features_));
  };
  return jacobian_penalty(gamma_, map, z_);
}

}  // namespace stillpoint::app
