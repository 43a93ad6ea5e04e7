#pragma once

#include <ATen/core/grad_mode.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>

namespace stillpoint::nn::detail {

/// A convolution inside of an equilibrium: without bias, keeping the size of images up to its stride, and
/// with small weights, so that the cell contracts at the beginning.
inline torch::nn::Conv2d equilibrium_conv(std::int64_t in, std::int64_t out, std::int64_t kernel_size,
                                          std::int64_t stride = 1) {
  torch::nn::Conv2d conv(
      torch::nn::Conv2dOptions(in, out, kernel_size).stride(stride).padding(kernel_size / 2).bias(false));
  const at::NoGradGuard no_grad;
  conv->weight.normal_(0.0, 0.01);
  return conv;
}

}  // namespace stillpoint::nn::detail
