#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

#include "network.h"
#include "stillpoint/nn/fixed_point.h"

namespace stillpoint::app {

/// The map whose fixed point the network finds: tanh(W z + x), with W without bias.
class TanhCellImpl : public torch::nn::Cloneable<TanhCellImpl> {
 public:
  explicit TanhCellImpl(std::int64_t width) : width_(width) { reset(); }
  void reset() override;

  at::Tensor forward(const at::Tensor& z, const at::Tensor& x);

 private:
  std::int64_t width_;
  torch::nn::Linear recurrent_ = nullptr;
};
TORCH_MODULE(TanhCell);

/// Images [B, 784] → Linear(784, 100) → z* = tanh(W z* + x) → Linear(100, 10) → logits [B, 10].
///
/// The solve begins at f(0), the first step from zero. That matters to Newton, whose longer step from zero
/// can lead to another fixed point, an unstable one, once the weights have grown. The initial weights are
/// LibTorch's defaults.
class FixedPointNetwork : public Network {
 public:
  explicit FixedPointNetwork(const FixedPointOptions& options);

  at::Tensor forward(const at::Tensor& images) override;
  FixedPointOptions* solve_options() override { return &equilibrium_->options; }
  const Stats* stats() const override { return &equilibrium_->stats(); }

 private:
  torch::nn::Linear encoder_;
  nn::FixedPoint equilibrium_;
  torch::nn::Linear decoder_;
};

}  // namespace stillpoint::app
