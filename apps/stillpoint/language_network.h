#pragma once

#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>

#include "network.h"
#include "stillpoint/nn/fixed_point.h"
#include "stillpoint/nn/transformer_block.h"

namespace stillpoint::app {

inline constexpr std::int64_t kTextLength = 64;  ///< positions of a sample

/// Bytes [B, T] → embedding and position → blocks → Linear(128, 256) → logits [B, T, 256] of the next byte.
/// The embedding x is injected into each block, and z begins at zero.
class LanguageNetwork : public Network {
 public:
  at::Tensor forward(const at::Tensor& bytes) override;

 protected:
  LanguageNetwork();
  virtual at::Tensor transform(const at::Tensor& x) = 0;
  static nn::TransformerBlock block();

 private:
  torch::nn::Embedding symbols_, positions_;
  torch::nn::Linear decoder_;
};

/// With the equilibrium of one `nn::TransformerBlock`.
class EquilibriumTransformer : public LanguageNetwork {
 public:
  explicit EquilibriumTransformer(const FixedPointOptions& options);
  FixedPointOptions* solve_options() override { return &equilibrium_->options; }
  const Stats* stats() const override { return &equilibrium_->stats(); }

 protected:
  at::Tensor transform(const at::Tensor& x) override { return equilibrium_(x); }

 private:
  nn::FixedPoint equilibrium_;
};

/// With so many blocks of their own weights, one after the other.
class ExplicitTransformer : public LanguageNetwork {
 public:
  explicit ExplicitTransformer(std::int64_t depth);

 protected:
  at::Tensor transform(const at::Tensor& x) override;

 private:
  torch::nn::ModuleList blocks_;
};

}  // namespace stillpoint::app
