#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

#include "stillpoint/nn/fixed_point.h"

namespace stillpoint::app {

/// The map whose fixed point the model finds: tanh(W z + x), with W without bias.
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
class ClassifierImpl : public torch::nn::Module {
 public:
  /// The options choose the solver of the fixed point and its gradient. The initial weights are LibTorch's
  /// defaults, and depend on the seed alone.
  explicit ClassifierImpl(const FixedPointOptions& options);

  at::Tensor forward(const at::Tensor& images);
  /// How the latest solve went, and the backward pass after it.
  const Stats& stats() const { return equilibrium_->stats(); }

  /// x in z* = tanh(W z* + x).
  at::Tensor encode(const at::Tensor& images) { return encoder_(images); }
  /// Where the solve begins: f(0), the first step from zero. It matters to Newton, whose longer step from
  /// zero can lead to another fixed point, an unstable one, once the weights have grown.
  static at::Tensor start(const at::Tensor& x);
  TanhCell& cell() { return cell_; }

 private:
  torch::nn::Linear encoder_;
  TanhCell cell_;
  nn::FixedPoint equilibrium_;
  torch::nn::Linear decoder_;
};
TORCH_MODULE(Classifier);

/// A model with the weights of `model`, which shares none of them, and other options.
Classifier copy_weights(const Classifier& model, const FixedPointOptions& options);

}  // namespace stillpoint::app
