#include "flat_weights.h"

#include <torch/types.h>

namespace stillpoint::app {

at::Tensor flattened(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> pieces;
  pieces.reserve(tensors.size());
  for (const auto& one : tensors) pieces.push_back(one.detach().flatten());
  return torch::cat(pieces);
}

std::vector<at::Tensor> split_like(const at::Tensor& flat, const std::vector<at::Tensor>& like) {
  std::vector<std::int64_t> sizes;
  sizes.reserve(like.size());
  for (const auto& one : like) sizes.push_back(one.numel());
  auto pieces = flat.split_with_sizes(sizes);
  for (std::size_t i = 0; i < like.size(); ++i) pieces[i] = pieces[i].view_as(like[i]);
  return pieces;
}

void set_weights(const std::vector<at::Tensor>& parameters, const at::Tensor& flat) {
  const torch::NoGradGuard no_grad;
  const auto pieces = split_like(flat, parameters);
  for (std::size_t i = 0; i < pieces.size(); ++i) parameters[i].copy_(pieces[i]);
}

}  // namespace stillpoint::app
