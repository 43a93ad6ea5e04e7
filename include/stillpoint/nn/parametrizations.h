#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/options/conv.h>
#include <torch/nn/options/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <iosfwd>

// Layers whose weight is computed from other tensors. `forward` computes it at each call. In a fixed point,
// compute it once, before the solve, and let the cell capture it:
//
//     const at::Tensor w = layer->weight();
//     fixed_point([=](const at::Tensor& z) { return torch::tanh(layer->forward_with(z, w) + x); }, z0);
//
// The gradient goes through w to the parameters, and every iteration has the same weight, as has the backward
// pass. A cell that calls `forward` of a spectrally normalized layer in training mode changes from one
// evaluation to the next, so it has no fixed point.
namespace stillpoint::nn {

/// What linear and convolutional layers share. `Options` is torch::nn::LinearOptions (inputs `[…, in]`) or
/// torch::nn::Conv2dOptions (inputs `[B, in, height, width]`, padded with zeros).
template <class Derived, class Options>
class ParametrizedLayer : public torch::nn::Cloneable<Derived> {
 public:
  /// The layer with a weight computed now.
  at::Tensor forward(const at::Tensor& input) {
    return forward_with(input, static_cast<Derived*>(this)->weight());
  }
  /// The layer with this weight.
  at::Tensor forward_with(const at::Tensor& input, const at::Tensor& weight) const;

  Options options;
  at::Tensor bias;  ///< `[out]`; undefined if there is none

 protected:
  explicit ParametrizedLayer(const Options& layer_options);
  /// Registers the bias. Returns a weight like the initial one of LibTorch's layers, uniform within
  /// 1/√(inputs of an output).
  at::Tensor initial_weight();
};

/// A layer with weight g v / ‖v‖ for each output, which learns length and direction separately.
///
/// Derivatives are exact to any order. The initial weight is that of LibTorch's layer. An output whose v is
/// zero has no direction, and its weight is NaN. (Salimans, Kingma 2016, Weight Normalization, equation 2.)
template <class Options>
class WeightNormImpl : public ParametrizedLayer<WeightNormImpl<Options>, Options> {
 public:
  explicit WeightNormImpl(const Options& layer_options);

  /// The weight, with the shape of that of LibTorch's layer. Cost: one pass over v.
  at::Tensor weight() const;

  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  at::Tensor direction;  ///< v, with the shape of the weight
  at::Tensor magnitude;  ///< g, `[out, 1, …]`
};

/// Options of the spectrally normalized layers.
struct SpectralNormOptions {
  double coefficient = 1.0;           ///< > 0: the largest singular value of the weight; below 1 it contracts
  std::int64_t power_iterations = 1;  ///< ≥ 1: per weight that is computed in training mode
};

/// A layer with weight c V / σ(V), where σ is the largest singular value. So its weight has norm c, up to the
/// error of the estimate.
///
/// σ is estimated by power iteration, with vectors that are kept in buffers. The estimate approaches σ from
/// below; 15 iterations are made at the beginning. A kernel counts as the matrix `[out, in · height ·
/// width]`. The norm of the convolution is at most √(height · width) times that of the matrix. If V is zero,
/// the weight is NaN. (Miyato et al. 2018, Spectral Normalization for Generative Adversarial Networks,
/// algorithm 1.)
///
/// Derivatives hold the singular vectors constant, as in the paper. To first order that is exact once they
/// have converged. From the second order on it leaves out that they move.
template <class Options>
class SpectralNormImpl : public ParametrizedLayer<SpectralNormImpl<Options>, Options> {
 public:
  explicit SpectralNormImpl(const Options& layer_options, SpectralNormOptions norm_options = {});

  /// The weight, with the shape of that of LibTorch's layer. In training mode each call first updates the
  /// vectors; in evaluation mode it changes nothing. Weights taken earlier stay valid, also for a backward
  /// pass. Cost: two products with V per iteration, and one more.
  at::Tensor weight();

  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  SpectralNormOptions norm;
  at::Tensor raw_weight;  ///< V, the parameter
  at::Tensor left;        ///< `[out]`, buffer: the left singular vector
  at::Tensor right;       ///< `[in]` or `[in · height · width]`, buffer: the right one

 private:
  void iterate(std::int64_t count);
};

using WeightNormLinearImpl = WeightNormImpl<torch::nn::LinearOptions>;
using WeightNormConv2dImpl = WeightNormImpl<torch::nn::Conv2dOptions>;
using SpectralNormLinearImpl = SpectralNormImpl<torch::nn::LinearOptions>;
using SpectralNormConv2dImpl = SpectralNormImpl<torch::nn::Conv2dOptions>;

TORCH_MODULE(WeightNormLinear);
TORCH_MODULE(WeightNormConv2d);
TORCH_MODULE(SpectralNormLinear);
TORCH_MODULE(SpectralNormConv2d);

}  // namespace stillpoint::nn
