#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "network.h"
#include "stillpoint/nn/fixed_point.h"
#include "stillpoint/nn/multiscale.h"
#include "stillpoint/nn/residual_conv.h"

namespace stillpoint::app {

/// Images [B, 784] → Conv(1 → 48, 3×3, no bias) – batch norm – the equilibrium of `nn::ResidualConv` (48 → 64
/// → 48) – batch norm – averages over 7 × 7 pixels – Linear → logits. (Kolter, Duvenaud, Johnson 2020, Deep
/// Implicit Layers, chapter 4, for images of one channel.) Trained with `gamma` · ‖∂f/∂z‖²_F / N added to the
/// loss.
class ConvNetwork : public Network {
 public:
  ConvNetwork(double gamma, const FixedPointOptions& options);

  at::Tensor forward(const at::Tensor& images) override;
  FixedPointOptions* solve_options() override { return &equilibrium_->options; }
  const Stats* stats() const override { return &equilibrium_->stats(); }
  at::Tensor penalty() override;

 private:
  double gamma_;
  at::Tensor injected_, z_;  // of the latest forward pass
  torch::nn::Conv2d encoder_;
  torch::nn::BatchNorm2d norm_before_;
  nn::ResidualConv cell_;  // registered by `equilibrium_`
  nn::FixedPoint equilibrium_;
  torch::nn::BatchNorm2d norm_after_;
  torch::nn::Linear decoder_;
};

/// Images [B, 784] → Conv(1 → 24, 3×3, stride 2, no bias) – batch norm – ReLU – `nn::Multiscale` with 24 and
/// 48 channels at 14 and 7 pixels a side – for each, batch norm and the averages of 2 × 2 regions – Linear →
/// logits. Trained with `gamma` · ‖∂f/∂z‖²_F / N added to the loss.
class MultiscaleNetwork : public Network {
 public:
  MultiscaleNetwork(double gamma, const FixedPointOptions& options);

  at::Tensor forward(const at::Tensor& images) override;
  FixedPointOptions* solve_options() override { return &equilibrium_->options.solve; }
  const Stats* stats() const override { return &equilibrium_->stats(); }
  at::Tensor penalty() override;

 private:
  double gamma_;
  at::Tensor features_;  // of the latest forward pass, as `z_`
  std::vector<at::Tensor> z_;
  torch::nn::Conv2d encoder_;
  torch::nn::BatchNorm2d norm_before_;
  nn::Multiscale equilibrium_;
  torch::nn::BatchNorm2d norm_fine_, norm_coarse_;
  torch::nn::Linear decoder_;
};

}  // namespace stillpoint::app
