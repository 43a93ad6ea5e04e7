#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/edge.h>

#include <cstdint>
#include <vector>

#include "stillpoint/autograd/tape.h"

namespace stillpoint::detail {

/// `f`, which may not return what belongs to a transform; see `check_no_transform`.
Map without_transform(Map f);

/// `f` as a backward pass evaluates it again: an error says so, and that captured references may be dangling.
Map evaluated_again(Map f);

/// What an evaluation of a map captured and gave. A backward pass that evaluates the map again holds that
/// evaluation against it, or its gradients would silently be those of another map.
class Evaluation {
 public:
  explicit Evaluation(const Tape& tape);
  std::size_t captures() const { return captured_.size(); }
  /// Throws if `again` captured other tensors, or a leaf that was edited in place since.
  void expect_same_captures(const Tape& again) const;
  /// Throws, too, if its value is not the same but for the order of sums; of a value that was edited in place
  /// since, nothing is known. Synchronizes a GPU.
  void expect_same(const Tape& again) const;

 private:
  torch::autograd::edge_list captured_;
  std::vector<std::int64_t> versions_;  // of captured leaves; 0 for others
  at::Tensor value_;
  std::int64_t value_version_;
};

}  // namespace stillpoint::detail
