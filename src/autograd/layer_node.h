#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/edge.h>
#include <torch/csrc/autograd/function.h>

#include <memory>

namespace stillpoint::detail {

/// What the backward passes of a layer read. Several threads may run them through one graph at the same time,
/// so they change nothing in it.
struct Saved {
  virtual ~Saved() = default;

  /// The gradients of what the edges of `node`, the layer's own, lead to, from that of its output. Where one
  /// is zero it may be undefined.
  virtual torch::autograd::variable_list differentiate(const std::shared_ptr<torch::autograd::Node>& node,
                                                       const at::Tensor& gradient) const = 0;
};

/// Gives `out` a node of ours, called `name`. It drops `saved` when LibTorch lets it release what it keeps.
void attach(at::Tensor& out, const char* name, torch::autograd::edge_list edges,
            std::shared_ptr<const Saved> saved);

}  // namespace stillpoint::detail
