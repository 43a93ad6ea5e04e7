#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>

#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

/// What the latest steps s of each sample taught of its inverse Hessian, by the changes y of its gradient.
class SecantPairs {
 public:
  explicit SecantPairs(std::int64_t memory) : memory_(memory) {}

  /// Starts the marked samples anew, with `length` times the identity.
  void renew(const Mask& marked, const at::Tensor& length);
  /// The product with the approximation of the inverse Hessian.
  at::Tensor times(const at::Tensor& gradient) const;
  /// Takes in a step. A sample that saw no positive curvature learns nothing.
  void learn(const at::Tensor& step, const at::Tensor& change);

 private:
  struct Pair {
    at::Tensor step, change;
    at::Tensor weight;  // 1 / s'y, a column; 0 where there is nothing to learn
  };

  std::int64_t memory_;
  at::Tensor scale_;  // of the identity, a column
  std::deque<Pair> pairs_;
};

}  // namespace stillpoint::detail
