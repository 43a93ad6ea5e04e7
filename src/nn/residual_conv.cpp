#include "stillpoint/nn/residual_conv.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include "nn/equilibrium_conv.h"

namespace stillpoint::nn {

ResidualConvImpl::ResidualConvImpl(ResidualConvOptions cell_options) : options(cell_options) {
  TORCH_CHECK(
      options.groups >= 1 && options.channels % options.groups == 0 && options.inner % options.groups == 0,
      "ResidualConvOptions.groups: expected a divisor of ", options.channels, " and ", options.inner,
      ", got ", options.groups);
  ResidualConvImpl::reset();
}

void ResidualConvImpl::reset() {
  const auto norm = [this](std::int64_t channels) {
    return torch::nn::GroupNorm(torch::nn::GroupNormOptions(options.groups, channels));
  };
  conv1_ = register_module("conv1", detail::equilibrium_conv(options.channels, options.inner, 3));
  conv2_ = register_module("conv2", detail::equilibrium_conv(options.inner, options.channels, 3));
  inner_norm_ = register_module("inner_norm", norm(options.inner));
  injected_norm_ = register_module("injected_norm", norm(options.channels));
  outer_norm_ = register_module("outer_norm", norm(options.channels));
}

at::Tensor ResidualConvImpl::forward(const at::Tensor& z, const at::Tensor& x) {
  const at::Tensor y = conv2_(inner_norm_(at::relu(conv1_(z))));
  return outer_norm_(at::relu(z + injected_norm_(x + y)));
}

}  // namespace stillpoint::nn
