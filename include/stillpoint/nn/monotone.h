#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/common.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <iosfwd>

#include "stillpoint/equations/monotone.h"
#include "stillpoint/equations/solvers/peaceman_rachford.h"

namespace stillpoint::nn {

struct MonotoneOptions {
  double monotonicity = 1.0;  ///< m > 0: vᵀ(I − W)v ≥ m vᵀv for every v
  /// σ: empty for ReLU, or another projection onto a convex set. With other proximal operators, as tanh,
  /// there is one equilibrium, too, but splitting does not find it: take another solver.
  Map activation = {};
  /// `ForwardBackward` goes, too, and any other solver as far as it gets.
  FixedPointOptions solve = {.solver = PeacemanRachford{}};
};

/// What the fully connected and the convolutional layer share: z* = σ(W z* + U x + c) with W = (1 − m) I −
/// AᵀA + B − Bᵀ, for learned A, B, U, c. So I − W is strongly monotone whatever A and B are: there is exactly
/// one equilibrium, and the gradient exists. (Winston, Kolter 2020, Monotone operator equilibrium networks,
/// theorem 1 and proposition 1.)
template <class Derived>
class MonotoneLayer : public torch::nn::Cloneable<Derived> {
 public:
  /// z* from `z0`, or without it from zeros. W is computed once a solve. Exact to any order.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& z0 = {});

  /// How the latest forward pass went, and the backward pass after it.
  const Stats& stats() const { return stats_; }

  void pretty_print(std::ostream& stream) const override;

  MonotoneOptions options;
  at::Tensor a;  ///< A, of the shape that a layer from z to z has
  at::Tensor b;  ///< B, alike

 protected:
  explicit MonotoneLayer(MonotoneOptions layer_options);
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())})

 private:
  Stats stats_;
};

/// Fully connected: x `[B, in_features]` → z* `[B, width]`.
class MonotoneLinearImpl : public MonotoneLayer<MonotoneLinearImpl> {
 public:
  /// Weights begin as those of torch::nn::Linear. Errors: a c10::Error if m is not > 0.
  MonotoneLinearImpl(std::int64_t in_features, std::int64_t width, MonotoneOptions layer_options = {});

  at::Tensor weight() const;  ///< W, `[width, width]`
  /// z ↦ σ(W z + injected) in its parts, for U x + c `[B, width]`. The resolvent is a matrix inverted once.
  MonotoneMap map_of(const at::Tensor& injected) const;

  void reset() override;

  torch::nn::Linear input = nullptr;  ///< U and c

 private:
  std::int64_t in_features_;
  std::int64_t width_;
};

/// Convolutional, with A and B circular convolutions: x `[B, in_channels, H, W]` → z* `[B, channels, H, W]`,
/// where H and W are at least kernel_size − 1; U pads with zeros.
class MonotoneConv2dImpl : public MonotoneLayer<MonotoneConv2dImpl> {
 public:
  /// Weights begin as those of torch::nn::Conv2d. Errors: a c10::Error if m is not > 0, or kernel_size not
  /// odd.
  MonotoneConv2dImpl(std::int64_t in_channels, std::int64_t channels, std::int64_t kernel_size = 3,
                     MonotoneOptions layer_options = {});

  /// W as one kernel, `[channels, channels, 2 kernel_size − 1, 2 kernel_size − 1]`, to be applied with
  /// circular padding of kernel_size − 1.
  at::Tensor weight() const;
  /// z ↦ σ(W z + injected) in its parts, for U x + c `[B, channels, H, W]`. The resolvent inverts, once, a
  /// matrix of channels × channels for each of H (W / 2 + 1) frequencies.
  MonotoneMap map_of(const at::Tensor& injected) const;

  void reset() override;

  torch::nn::Conv2d input = nullptr;  ///< U and c

 private:
  std::int64_t in_channels_;
  std::int64_t channels_;
  std::int64_t kernel_size_;
};

TORCH_MODULE(MonotoneLinear);
TORCH_MODULE(MonotoneConv2d);

}  // namespace stillpoint::nn
