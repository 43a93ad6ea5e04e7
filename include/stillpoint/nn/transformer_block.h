#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

namespace stillpoint::nn {

/// Options of `TransformerBlock`.
struct TransformerBlockOptions {
  std::int64_t width = 128;  ///< D: numbers per position
  std::int64_t heads = 4;    ///< divides the width
  std::int64_t inner = 512;  ///< width of the feed-forward part
};

/// A causal transformer block with input injection, post-normalized.
///
///     h = norm(z + x + attention(z + x)),    z ↦ norm(h + W₂ gelu(W₁ h + b₁) + b₂)
///
/// z and x are `[B, T, D]`, and position t attends to positions up to t. Iterated to its equilibrium by
/// `FixedPoint`, it is a weight-tied transformer of any depth; a stack of blocks is an explicit one. The
/// injected x takes part in the norm, which makes the block contract where x is not small. Samples do not
/// mix. Exact to any order. (Vaswani et al. 2017, Attention Is All You Need; Bai, Kolter, Koltun 2019, Deep
/// Equilibrium Models, section 4.2.)
class TransformerBlockImpl : public torch::nn::Cloneable<TransformerBlockImpl> {
 public:
  /// Errors: a c10::Error if the heads do not divide the width.
  explicit TransformerBlockImpl(TransformerBlockOptions block_options = {});

  at::Tensor forward(const at::Tensor& z, const at::Tensor& x);

  void reset() override;

  TransformerBlockOptions options;

 private:
  at::Tensor attention(const at::Tensor& h);

  torch::nn::Linear queries_keys_values_ = nullptr, output_ = nullptr, expand_ = nullptr, contract_ = nullptr;
  torch::nn::LayerNorm attention_norm_ = nullptr, output_norm_ = nullptr;
};

TORCH_MODULE(TransformerBlock);

}  // namespace stillpoint::nn
