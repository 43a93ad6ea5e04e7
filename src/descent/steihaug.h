#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stillpoint/core/map.h"

namespace stillpoint::detail {

/// A step and the Hessian times it, which says what a quadratic model predicts of it.
struct ModelStep {
  at::Tensor step;
  at::Tensor product;
};

/// For each sample of a batch, where conjugate gradients come to on the model g'p + ½p'Hp within ‖p‖ ≤
/// radius: they end where the residual is within `allowed`, and on the border if they cross it or meet a
/// direction that bends down. Radius and allowed are columns. One product for each iteration. (Steihaug 1983,
/// SIAM Journal on Numerical Analysis 20; Nocedal, Wright 2006, algorithm 7.2.)
ModelStep steihaug(const Map& hessian, const at::Tensor& gradient, const at::Tensor& radius,
                   const at::Tensor& allowed, std::int64_t max_products);

}  // namespace stillpoint::detail
