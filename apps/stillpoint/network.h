#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/nn/module.h>

#include <memory>

#include "stillpoint/equations/diagnostics/jacobian_norm.h"
#include "stillpoint/equations/fixed_point.h"

namespace stillpoint::app {

/// What is trained: explicit, or with one implicit layer.
class Network : public torch::nn::Module {
 public:
  /// Of a batch: logits `[B, classes]` or `[B, T, symbols]`, or numbers `[B, 1]`.
  virtual at::Tensor forward(const at::Tensor& inputs) = 0;

  /// How the implicit layer is solved, to read and to change; null for an explicit network.
  virtual FixedPointOptions* solve_options() { return nullptr; }
  /// How the latest solve went, and the backward pass after it; null for an explicit network.
  virtual const Stats* stats() const { return nullptr; }
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
