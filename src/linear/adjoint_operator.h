#pragma once

#include <ATen/TensorOperators.h>

#include "stillpoint/core/operator.h"

namespace stillpoint::detail {

/// The operator of the adjoint equation `u = product(u) + g` (FixedPoint) or `0 = product(u) + g` (Root),
/// with g on the right.
inline LinearOperator adjoint_operator(Equation equation, const Map& product, Structure structure) {
  if (equation == Equation::FixedPoint) {
    return {.product = product, .structure = structure, .identity_minus = true};
  }
  return {.product = [product](const at::Tensor& u) { return product(u).neg(); }, .structure = structure};
}

}  // namespace stillpoint::detail
