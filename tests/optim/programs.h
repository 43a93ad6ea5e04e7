#pragma once

#include <vector>

#include "optim/rows.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {

/// A leaf of the given numbers.
inline Tensor leaf(const std::vector<double>& numbers, torch::IntArrayRef shape) {
  return vector(numbers).view(shape).requires_grad_(true);
}
inline Tensor leaf(const std::vector<double>& numbers) {
  return leaf(numbers, {static_cast<std::int64_t>(numbers.size())});
}

inline std::vector<Tensor> gradients(const Tensor& of, const std::vector<Tensor>& in,
                                     bool create_graph = false) {
  return torch::autograd::grad({of}, in, {}, true, create_graph, true);
}

}  // namespace stillpoint::test
