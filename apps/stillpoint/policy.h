#pragma once

#include <torch/nn/modules/linear.h>

#include "network.h"

// Networks of the states of a cart and pole, [N, 4] in double.
namespace stillpoint::app {

/// States → Linear(4, 32) → tanh → Linear(32, 2) → the logits of a push to the left and to the right.
class TanhPolicy : public Network {
 public:
  TanhPolicy();

  at::Tensor forward(const at::Tensor& states) override;

 private:
  torch::nn::Linear encoder_, decoder_;
};

/// States → Linear(4, 32) → z* = tanh(W z* + x) → Linear(32, 2) → logits, as exactly as double precision
/// allows. W is 0.9 V / (1 + ‖V‖), with V learned and the norm of all its numbers, so the map contracts and
/// has one equilibrium whatever is learned. The other weights are drawn before V, so that they begin as those
/// of `TanhPolicy` do.
class EquilibriumPolicy : public Network {
 public:
  EquilibriumPolicy();

  at::Tensor forward(const at::Tensor& states) override;
  FixedPointOptions* solve_options() override { return &options_; }
  const Stats* stats() const override { return &stats_; }

 private:
  FixedPointOptions options_;
  Stats stats_;
  torch::nn::Linear encoder_, decoder_, recurrent_;
};

/// States → Linear(4, 32) → tanh → Linear(32, 1) → the discounted return that is expected, in units of
/// `scale`.
class ValueNetwork : public Network {
 public:
  explicit ValueNetwork(double scale);

  at::Tensor forward(const at::Tensor& states) override;

 private:
  double scale_;
  torch::nn::Linear encoder_, decoder_;
};

}  // namespace stillpoint::app
