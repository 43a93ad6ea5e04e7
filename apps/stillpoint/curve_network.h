#pragma once

#include <torch/nn/modules/linear.h>

#include "network.h"

namespace stillpoint::app {

/// Numbers x [B, 1] → z* = W₂ relu(W₁ z* + U x + b₁) + b₂ of 50 units → Linear(50, 1) → numbers [B, 1],
/// trained with `gamma` · ‖∂f/∂z‖²_F / 50 added to the loss. (Bai, Koltun, Kolter 2021, Stabilizing
/// Equilibrium Models by Jacobian Regularization, section 5.1.)
class CurveNetwork : public Network {
 public:
  CurveNetwork(double gamma, FixedPointOptions options);

  at::Tensor forward(const at::Tensor& x) override;
  FixedPointOptions* solve_options() override { return &options_; }
  const Stats* stats() const override { return &stats_; }
  at::Tensor penalty() override;

 private:
  double gamma_;
  FixedPointOptions options_;
  Stats stats_;
  Map map_;
  at::Tensor z_;
  torch::nn::Linear encoder_, inner_, outer_, decoder_;
};

}  // namespace stillpoint::app
