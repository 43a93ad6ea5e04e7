#include "language_network.h"

#include <torch/types.h>

namespace stillpoint::app {
namespace {

constexpr std::int64_t kSymbols = 256;
constexpr std::int64_t kModelWidth = 128;

}  // namespace

LanguageNetwork::LanguageNetwork()
    : symbols_(register_module("symbols", torch::nn::Embedding(kSymbols, kModelWidth))),
      positions_(register_module("positions", torch::nn::Embedding(kTextLength, kModelWidth))),
      decoder_(register_module("decoder", torch::nn::Linear(kModelWidth, kSymbols))) {}

nn::TransformerBlock LanguageNetwork::block() {
  return nn::TransformerBlock(
      nn::TransformerBlockOptions{.width = kModelWidth, .heads = 4, .inner = 4 * kModelWidth});
}

at::Tensor LanguageNetwork::forward(const at::Tensor& bytes) {
  const auto positions = torch::arange(bytes.size(1), bytes.options());
  return decoder_(transform(symbols_(bytes) + positions_(positions)));
}

EquilibriumTransformer::EquilibriumTransformer(const FixedPointOptions& options)
    : equilibrium_(register_module("equilibrium", nn::FixedPoint(torch::nn::AnyModule(block()), options))) {}

ExplicitTransformer::ExplicitTransformer(std::int64_t depth)
    : blocks_(register_module("blocks", torch::nn::ModuleList())) {
  for (std::int64_t i = 0; i < depth; ++i) {
    blocks_->push_back(block());
  }
}

at::Tensor ExplicitTransformer::transform(const at::Tensor& x) {
  auto z = torch::zeros_like(x);
  for (const auto& each : *blocks_) {
    z = each->as<nn::TransformerBlockImpl>()->forward(z, x);
  }
  return z;
}

}  // namespace stillpoint::app
