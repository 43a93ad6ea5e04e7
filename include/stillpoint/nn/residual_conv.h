#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

namespace stillpoint::nn {

/// Options of `ResidualConv`.
struct ResidualConvOptions {
  std::int64_t channels = 48;  ///< of z and x
  std::int64_t inner = 64;     ///< channels between the convolutions
  std::int64_t groups = 8;     ///< of the group norms; divides channels and inner
};

/// The cell of a convolutional deep-equilibrium model. Iterate it with `FixedPoint`.
///
///     z ↦ norm(relu(z + norm(x + conv₂(norm(relu(conv₁ z))))))
///
/// The convolutions are 3×3, without bias, and their initial weights are normal with deviation 0.01. z and x
/// are `[B, channels, H, W]`. The group norms see one sample each, so samples do not mix. Exact to any order.
/// (Kolter, Duvenaud, Johnson 2020, Deep Implicit Layers, chapter 4.)
class ResidualConvImpl : public torch::nn::Cloneable<ResidualConvImpl> {
 public:
  /// Errors: a c10::Error if the groups do not divide channels and inner.
  explicit ResidualConvImpl(ResidualConvOptions cell_options = {});

  at::Tensor forward(const at::Tensor& z, const at::Tensor& x);

  void reset() override;

  ResidualConvOptions options;

 private:
  torch::nn::Conv2d conv1_ = nullptr, conv2_ = nullptr;
  torch::nn::GroupNorm inner_norm_ = nullptr, injected_norm_ = nullptr, outer_norm_ = nullptr;
};

TORCH_MODULE(ResidualConv);

}  // namespace stillpoint::nn
