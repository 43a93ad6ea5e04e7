#pragma once

#include <torch/nn/modules/linear.h>

#include <cstdint>

#include "network.h"
#include "stillpoint/nn/monotone.h"

namespace stillpoint::app {

/// Images [B, 784], standardized as MNIST's are → `nn::MonotoneLinear` of 87 units → Linear(87, 10) → logits.
/// As large as the network published. (Winston, Kolter 2020, Monotone operator equilibrium networks,
/// section 5.)
class MonotoneNetwork : public Network {
 public:
  explicit MonotoneNetwork(const FixedPointOptions& options);

  at::Tensor forward(const at::Tensor& images) override;
  FixedPointOptions* solve_options() override { return &equilibrium_->options.solve; }
  const Stats* stats() const override { return &equilibrium_->stats(); }

 private:
  nn::MonotoneLinear equilibrium_;
  torch::nn::Linear decoder_;
};

/// The same with `nn::MonotoneConv2d` of so many channels, and averages over 4 × 4 pixels after it.
class MonotoneConvNetwork : public Network {
 public:
  MonotoneConvNetwork(std::int64_t channels, const FixedPointOptions& options);

  at::Tensor forward(const at::Tensor& images) override;
  FixedPointOptions* solve_options() override { return &equilibrium_->options.solve; }
  const Stats* stats() const override { return &equilibrium_->stats(); }

 private:
  nn::MonotoneConv2d equilibrium_;
  torch::nn::Linear decoder_;
};

}  // namespace stillpoint::app
