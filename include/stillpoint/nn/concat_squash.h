#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

namespace stillpoint::nn {

/// A linear layer that the time gates and shifts: (W x + b) · σ(v t + c) + u t, for x of `[B, in]`, to `[B,
/// out]`; t as an `odeint` hands it to f. What fields of continuous flows are made of. (Grathwohl et al.
/// 2019, "FFJORD", appendix B.1.)
class ConcatSquashImpl : public torch::nn::Cloneable<ConcatSquashImpl> {
 public:
  ConcatSquashImpl(std::int64_t in_features, std::int64_t out_features);

  at::Tensor forward(const at::Tensor& t, const at::Tensor& x);

  void reset() override;

 private:
  std::int64_t in_, out_;
  torch::nn::Linear linear_{nullptr};
  torch::nn::Linear gate_{nullptr};
  torch::nn::Linear shift_{nullptr};
};

TORCH_MODULE(ConcatSquash);

}  // namespace stillpoint::nn
