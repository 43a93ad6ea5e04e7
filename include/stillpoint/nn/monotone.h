#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/common.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <iosfwd>

#include "stillpoint/equations/fixed_point.h"
#include "stillpoint/equations/monotone.h"
#include "stillpoint/equations/solvers/peaceman_rachford.h"

namespace stillpoint::nn {

/// Options of the monotone layers.
struct MonotoneOptions {
  double monotonicity = 1.0;  ///< m > 0: vᵀ(I − W)v ≥ m vᵀv for every v
  /// σ: empty for ReLU, or another projection onto a convex set. With other proximal operators, such as tanh,
  /// there is still one equilibrium, but splitting does not find it: choose another solver.
  Map activation = {};
  /// `ForwardBackward` works, too, and so does any other solver as far as it converges.
  FixedPointOptions solve = {.solver = PeacemanRachford{}};
};

/// What the fully connected and the convolutional layer share: z* = σ(W z* + U x + c).
///
/// Here W = (1 − m) I − AᵀA + B − Bᵀ, for learned A, B, U, c. So I − W is strongly monotone whatever A and B
/// are: there is exactly one equilibrium, and the gradient exists. (Winston, Kolter 2020, Monotone operator
/// equilibrium networks, theorem 1 and proposition 1.)
template <class Derived>
class MonotoneLayer : public torch::nn::Cloneable<Derived> {
 public:
  /// z*, from the start `z0` or from zeros. W is computed once per solve. Exact to any order.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& z0 = {});

  /// How the latest forward pass went, and the backward pass after it.
  const Stats& stats() const { return stats_; }

  void pretty_print(std::ostream& stream) const override;

  MonotoneOptions options;
  at::Tensor a;  ///< A, with the shape of a layer from z to z
  at::Tensor b;  ///< B, with the same shape

 protected:
  explicit MonotoneLayer(MonotoneOptions layer_options);
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())})

 private:
  Stats stats_;
};

/// Fully connected: x `[B, in_features]` → z* `[B, width]`.
class MonotoneLinearImpl : public MonotoneLayer<MonotoneLinearImpl> {
 public:
  /// The initial weights are those of torch::nn::Linear. Errors: a c10::Error if m is not > 0.
  MonotoneLinearImpl(std::int64_t in_features, std::int64_t width, MonotoneOptions layer_options = {});

  at::Tensor weight() const;  ///< W, `[width, width]`
  /// z ↦ σ(W z + injected) in its parts, where `injected` is U x + c, `[B, width]`. The resolvent is a
  /// matrix, inverted once.
  MonotoneMap map_of(const at::Tensor& injected) const;

  void reset() override;

  torch::nn::Linear input = nullptr;  ///< U and c

 private:
  std::int64_t in_features_;
  std::int64_t width_;
};

/// Convolutional: x `[B, in_channels, H, W]` → z* `[B, channels, H, W]`. A and B are circular convolutions,
/// and U pads with zeros. H and W must be at least kernel_size − 1.
class MonotoneConv2dImpl : public MonotoneLayer<MonotoneConv2dImpl> {
 public:
  /// The initial weights are those of torch::nn::Conv2d. Errors: a c10::Error if m is not > 0, or if
  /// kernel_size is not odd.
  MonotoneConv2dImpl(std::int64_t in_channels, std::int64_t channels, std::int64_t kernel_size = 3,
                     MonotoneOptions layer_options = {});

  /// W as one kernel, `[channels, channels, 2 kernel_size − 1, 2 kernel_size − 1]`. Apply it with circular
  /// padding of kernel_size − 1.
  at::Tensor weight() const;
  /// z ↦ σ(W z + injected) in its parts, where `injected` is U x + c, `[B, channels, H, W]`. The resolvent
  /// inverts a matrix of channels × channels, once, for each of H (W / 2 + 1) frequencies.
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
