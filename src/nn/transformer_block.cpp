#include "stillpoint/nn/transformer_block.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <limits>

namespace stillpoint::nn {

TransformerBlockImpl::TransformerBlockImpl(TransformerBlockOptions block_options) : options(block_options) {
  TORCH_CHECK(options.heads >= 1 && options.width % options.heads == 0,
              "TransformerBlockOptions.heads: expected a divisor of the width ", options.width, ", got ",
              options.heads);
  TransformerBlockImpl::reset();
}

void TransformerBlockImpl::reset() {
  const auto norm = [this] { return torch::nn::LayerNorm(torch::nn::LayerNormOptions({options.width})); };
  queries_keys_values_ =
      register_module("queries_keys_values", torch::nn::Linear(options.width, 3 * options.width));
  output_ = register_module("output", torch::nn::Linear(options.width, options.width));
  expand_ = register_module("expand", torch::nn::Linear(options.width, options.inner));
  contract_ = register_module("contract", torch::nn::Linear(options.inner, options.width));
  attention_norm_ = register_module("attention_norm", norm());
  output_norm_ = register_module("output_norm", norm());
}

at::Tensor TransformerBlockImpl::attention(const at::Tensor& h) {
  const std::int64_t batch = h.size(0);
  const std::int64_t length = h.size(1);
  const std::int64_t head_width = options.width / options.heads;
  // [3, B, heads, T, head width]
  const at::Tensor parts =
      queries_keys_values_(h).view({batch, length, 3, options.heads, head_width}).permute({2, 0, 3, 1, 4});
  const at::Tensor scores =
      at::matmul(parts[0], parts[1].transpose(2, 3)) / std::sqrt(static_cast<double>(head_width));
  const at::Tensor future = at::ones({length, length}, h.options().dtype(at::kBool)).triu(1);
  const at::Tensor weights = scores.masked_fill(future, -std::numeric_limits<double>::infinity()).softmax(3);
  return output_(at::matmul(weights, parts[2]).transpose(1, 2).reshape(h.sizes()));
}

at::Tensor TransformerBlockImpl::forward(const at::Tensor& z, const at::Tensor& x) {
  const at::Tensor injected = z + x;
  const at::Tensor h = attention_norm_(injected + attention(injected));
  return output_norm_(h + contract_(at::gelu(expand_(h))));
}

}  // namespace stillpoint::nn
