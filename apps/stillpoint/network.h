#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "stillpoint/equations/diagnostics/jacobian_norm.h"
#include "stillpoint/equations/fixed_point.h"
#include "stillpoint/ode/options.h"

namespace stillpoint::app {

/// What the latest solve of a network cost, and how it ended.
struct SolveCost {
  double forward = 0;                   ///< iterations of the slowest sample; or evaluations of an ODE's f
  std::optional<double> backward = {};  ///< the same of the backward pass after it
  std::vector<bool> solved = {};        ///< which samples were
  std::int64_t backward_unsolved = 0;   ///< samples whose backward solve missed its tolerance
};

/// What is trained: explicit, or with one implicit layer.
class Network : public torch::nn::Module {
 public:
  /// Of a batch: logits `[B, classes]` or `[B, T, symbols]`, or numbers `[B, 1]`.
  virtual at::Tensor forward(const at::Tensor& inputs) = 0;

  /// How a fixed point is solved, to read and to change; null for a network without one.
  virtual FixedPointOptions* solve_options() { return nullptr; }
  /// How an ODE is solved, to read and to change; null for a network without one.
  virtual OdeintOptions* ode_options() { return nullptr; }
  /// How the latest solve of a fixed point went, and the backward pass after it; null as above.
  virtual const Stats* stats() const { return nullptr; }
  /// What the latest solve cost, of whatever kind it is; empty for an explicit network.
  virtual std::optional<SolveCost> cost() const;
  /// From now on solves as exactly as double precision allows: a fixed point as `reference` says.
  virtual void solve_exactly(const FixedPointOptions& reference);
  /// How far the parameters are from those that made the data, the largest relative error; empty if there are
  /// none that did.
  virtual std::optional<double> parameter_error() const { return {}; }
  /// What is added to the loss in training, after a forward pass; undefined: nothing.
  virtual at::Tensor penalty() { return {}; }
};

/// gamma times the mean of `jacobian_norm(f, z)`, for `Network::penalty`; undefined if gamma is 0.
template <class F, class State>
at::Tensor jacobian_penalty(double gamma, const F& f, const State& z) {
  return gamma == 0 ? at::Tensor() : gamma * jacobian_norm(f, z).mean();
}

using NetworkPointer = std::shared_ptr<Network>;

/// Copies parameters and buffers into a network of the same kind, which takes the dtype and device, too.
void copy_weights(Network& from, Network& to);

}  // namespace stillpoint::app
