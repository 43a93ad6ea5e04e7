#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

// All weights of a network as one vector, in the order of its parameters.
namespace stillpoint::app {

/// The numbers of all tensors, `[N]`: a copy, without a gradient.
at::Tensor flattened(const std::vector<at::Tensor>& tensors);

/// A vector `[N]` in pieces that have the shapes of `like`: views.
std::vector<at::Tensor> split_like(const at::Tensor& flat, const std::vector<at::Tensor>& like);

/// Copies a vector `[N]` into the parameters. A c10::Error if it is not as long as they are together.
void set_weights(const std::vector<at::Tensor>& parameters, const at::Tensor& flat);

}  // namespace stillpoint::app
