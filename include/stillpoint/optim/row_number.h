#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace stillpoint::optim {

/// A number for each row of a batch `[B, n]`: a double for all of them, or a tensor, `[B]` or without
/// dimensions, of the batch's dtype, in which results are differentiable. The gradient of a number that all
/// rows share is summed over them.
struct RowNumber {
  RowNumber(double n) : number(n) {}  // NOLINT(google-explicit-constructor): written as a number
  RowNumber(at::Tensor t) : tensor(std::move(t)) {}  // NOLINT(google-explicit-constructor): or as a tensor

  double number = 0.0;
  at::Tensor tensor = {};  ///< in its place, if defined
};

}  // namespace stillpoint::optim
