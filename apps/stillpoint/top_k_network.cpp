#include "top_k_network.h"

#include <torch/types.h>

#include "stillpoint/optim/projections/capped_simplex.h"
#include "stillpoint/optim/projections/soft_top_k.h"

namespace stillpoint::app {

namespace {

torch::nn::Conv2d halving(std::int64_t from, std::int64_t to) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(from, to, 5).stride(2));
}

}  // namespace

// What all scores have in common only tells where each image is judged for itself.
TopKNetwork::TopKNetwork(Layer layer)
    : layer_(layer),
      fine_(register_module("fine", halving(1, 16))),
      coarse_(register_module("coarse", halving(16, 32))),
      scorer_(register_module(
          "scorer", torch::nn::Linear(torch::nn::LinearOptions(512, 1).bias(layer == Layer::Sigmoid)))) {}

at::Tensor TopKNetwork::forward(const at::Tensor& sets) {
  const auto features = coarse_(fine_(sets.reshape({-1, 1, 28, 28})).relu()).relu();
  const auto scores = scorer_(features.flatten(1)).view({-1, kSetSize});
  switch (layer_) {
    case Layer::SoftTopK:
      return optim::soft_top_k(scores, static_cast<double>(kChosen), 1.0);
    case Layer::CappedSimplex:
      return optim::project_capped_simplex(scores, static_cast<double>(kChosen));
    case Layer::Sigmoid:
      break;
  }
  return scores.sigmoid();
}

}  // namespace stillpoint::app
