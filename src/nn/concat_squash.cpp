#include "stillpoint/nn/concat_squash.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace stillpoint::nn {

ConcatSquashImpl::ConcatSquashImpl(std::int64_t in_features, std::int64_t out_features)
    : in_(in_features), out_(out_features) {
  reset();
}

void ConcatSquashImpl::reset() {
  linear_ = register_module("linear", torch::nn::Linear(in_, out_));
  gate_ = register_module("gate", torch::nn::Linear(1, out_));
  shift_ = register_module("shift", torch::nn::Linear(torch::nn::LinearOptions(1, out_).bias(false)));
}

at::Tensor ConcatSquashImpl::forward(const at::Tensor& t, const at::Tensor& x) {
  const at::Tensor time = t.reshape({-1, 1});
  return linear_(x) * at::sigmoid(gate_(time)) + shift_(time);
}

}  // namespace stillpoint::nn
