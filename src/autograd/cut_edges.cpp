#include "autograd/cut_edges.h"

#include <torch/csrc/autograd/functions/tensor.h>

#include <utility>

namespace stillpoint::detail {

using torch::autograd::Edge;

// An operation in place on a view is recorded as a node that wraps the operation's own and repeats its edges.
// Both are cut: LibTorch 2.x demands that they agree, and the operation skips what nobody wants. It is the
// only node that looks at another's edges.
void add_cut(std::vector<Cut>& cuts, torch::autograd::Node& node, std::size_t edge) {
  cuts.push_back({node.shared_from_this(), edge});
  if (const auto* wrapper = dynamic_cast<const torch::autograd::CopySlices*>(&node)) {
    cuts.push_back({wrapper->fn, edge});
  }
}

CutEdges::CutEdges(const std::vector<Cut>& cuts) : cuts_(cuts) {
  kept_.reserve(cuts.size());
  for (const Cut& cut : cuts) kept_.push_back(std::exchange(cut.node->next_edges()[cut.edge], Edge()));
}

CutEdges::~CutEdges() {
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    cuts_[i].node->next_edges()[cuts_[i].edge] = std::move(kept_[i]);
  }
}

}  // namespace stillpoint::detail
