#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>

#include "stillpoint/equations/fixed_point.h"
#include "stillpoint/nn/parametrizations.h"

namespace stillpoint::app {

/// A function on the plane that is learned: points [B, 2] to numbers [B].
class Critic : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& points) = 0;
  /// How the latest solve went; null if nothing is solved.
  virtual const Stats* stats() const { return nullptr; }
};

/// Three hidden layers of rectified units.
torch::nn::Sequential plane_network(std::int64_t inputs, std::int64_t width, std::int64_t outputs);

class ExplicitCritic : public Critic {
 public:
  explicit ExplicitCritic(std::int64_t width)
      : layers_(register_module("layers", plane_network(2, width, 1))) {}

  at::Tensor forward(const at::Tensor& points) override { return layers_->forward(points).squeeze(1); }

 private:
  torch::nn::Sequential layers_;
};

/// w · z* with z* = tanh(W z* + U x + b). W has norm 0.9, so that the map contracts: there is one
/// equilibrium, and the slope in x that the penalty wants is defined.
class EquilibriumCritic : public Critic {
 public:
  explicit EquilibriumCritic(std::int64_t width);

  at::Tensor forward(const at::Tensor& points) override;
  const Stats* stats() const override { return &stats_; }

  FixedPointOptions options;  ///< of the solve

 private:
  torch::nn::Linear encoder_;
  nn::SpectralNormLinear recurrent_;
  torch::nn::Linear decoder_;
  Stats stats_;
};

}  // namespace stillpoint::app
