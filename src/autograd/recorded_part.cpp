#include "autograd/recorded_part.h"

#include <ATen/record_function.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <algorithm>

namespace stillpoint::detail {

// A depth-first search with a stack of its own, since f may be deep. Nodes are left in reverse order.
RecordedPart::RecordedPart(Node* result, const Node* argument, std::uint64_t first)
    : argument_(argument), first_(first), thread_(at::RecordFunction::currentThreadId()) {
  enter(result);
  while (!stack_.empty()) {
    auto& [node, next] = stack_.back();
    if (next < node->num_outputs()) {
      Node* child = node->next_edge(next++).function.get();
      if (child != nullptr) enter(child);
    } else {
      leave(node);
      stack_.pop_back();
    }
  }
  std::reverse(nodes_.begin(), nodes_.end());
}

bool RecordedPart::reaches_argument(const Node* node) const {
  if (node == argument_) return true;
  const auto found = places_.find(node);
  return found != places_.end() && found->second.reaches;
}

void RecordedPart::enter(Node* node) {
  if (node == argument_ || places_.count(node) != 0) return;
  const bool here = node->thread_id() == thread_;
  const bool leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node) != nullptr;
  if (leaf || (here && node->sequence_nr() < first_)) return;
  places_[node].own = here;
  stack_.emplace_back(node, 0);
}

void RecordedPart::leave(Node* node) {
  Place& place = places_[node];
  for (const auto& edge : node->next_edges()) {
    if (edge.is_valid() && reaches_argument(edge.function.get())) place.reaches = true;
  }
  if (place.own || place.reaches) nodes_.push_back(node);
}

}  // namespace stillpoint::detail
