#pragma once

#include <torch/csrc/autograd/function.h>

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace stillpoint::detail {

/// The part of the graph that one evaluation recorded, from the node of its result to the one of its
/// argument.
///
/// Nodes made on this thread before the evaluation are outside; those made on it since are inside. Other
/// threads count their own sequence, so a node of another thread (made by a backward pass inside f, on a
/// GPU's thread) is inside if it leads to the argument.
class RecordedPart {
 public:
  using Node = torch::autograd::Node;

  /// `first` is the sequence number before the evaluation, which was made on this thread.
  RecordedPart(Node* result, const Node* argument, std::uint64_t first);

  /// The nodes inside, each before those that its gradients go to.
  const std::vector<Node*>& nodes() const { return nodes_; }
  /// Whether a gradient that arrives at `node` goes on to the argument.
  bool reaches_argument(const Node* node) const;

 private:
  struct Place {
    bool own = false;
    bool reaches = false;
  };

  void enter(Node* node);
  void leave(Node* node);

  const Node* argument_;
  std::uint64_t first_;
  std::uint64_t thread_;
  std::unordered_map<const Node*, Place> places_;
  std::vector<std::pair<Node*, std::uint32_t>> stack_;  // nodes being visited, each with its next edge
  std::vector<Node*> nodes_;
};

}  // namespace stillpoint::detail
