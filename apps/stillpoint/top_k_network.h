#pragma once

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>

#include "network.h"

namespace stillpoint::app {

inline constexpr std::int64_t kSetSize = 8;  ///< images of a set
inline constexpr std::int64_t kChosen = 3;   ///< of them, those with the largest digits

/// Sets of images [B, 8, 784] → a score for each image by Conv(1, 16) – ReLU – Conv(16, 32) – ReLU –
/// Linear(512, 1), with 5 × 5 pixels and steps of 2 → [B, 8], how far each is chosen, between 0 and 1. It
/// learns from the right choices alone, and is never told a digit. (Sets of MNIST whose order alone is known:
/// Grover, Wang, Zweig, Ermon 2019. A smooth top-k as a layer: Xie et al. 2020.)
class TopKNetwork : public Network {
 public:
  enum class Layer : std::uint8_t {
    SoftTopK,       ///< `optim::soft_top_k` with eps = 1; they sum to 3
    CappedSimplex,  ///< `optim::project_capped_simplex`: the same, sparse
    Sigmoid,        ///< each image for itself, to compare with
  };

  explicit TopKNetwork(Layer layer);

  at::Tensor forward(const at::Tensor& sets) override;

 private:
  Layer layer_;
  torch::nn::Conv2d fine_, coarse_;
  torch::nn::Linear scorer_;
};

}  // namespace stillpoint::app
