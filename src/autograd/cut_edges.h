#pragma once

#include <torch/csrc/autograd/edge.h>
#include <torch/csrc/autograd/function.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace stillpoint::detail {

/// An edge by which a node leaves for the next one.
struct Cut {
  std::shared_ptr<torch::autograd::Node> node;
  std::size_t edge;
};

/// Adds that edge of `node`, and what has to be cut along with it.
void add_cut(std::vector<Cut>& cuts, torch::autograd::Node& node, std::size_t edge);

/// Makes edges invalid while it lives: a node does not compute a gradient that has nowhere to go.
class CutEdges {
 public:
  explicit CutEdges(const std::vector<Cut>& cuts);
  ~CutEdges();
  CutEdges(const CutEdges&) = delete;
  CutEdges& operator=(const CutEdges&) = delete;

 private:
  const std::vector<Cut>& cuts_;
  torch::autograd::edge_list kept_;
};

}  // namespace stillpoint::detail
