#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "stillpoint/core/operator.h"
#include "stillpoint/equations/checked_map.h"

namespace stillpoint {

/// The residual r of an equation at one point, recorded, with products with A = −∂r/∂z. Newton's step is A⁻¹
/// r. For a fixed point A = I − J. Cost: one recorded evaluation; each product is a replay.
class Linearization {
 public:
  Linearization(const CheckedMap& f, const at::Tensor& z);

  const at::Tensor& residual() const { return residual_; }

  /// v ↦ A v. The first product records the transposed one, to replay it. Valid while this object lives.
  LinearOperator forward();
  /// u ↦ Aᵀ u. Valid while this object lives.
  LinearOperator transposed() const;
  /// A for each sample, `[B, N, N]`: N products.
  at::Tensor dense() const;

 private:
  LinearOperator operator_with(Map jacobian_product) const;

  const CheckedMap& f_;
  at::Tensor z_;
  Tape tape_;
  at::Tensor residual_;
  std::optional<Tape> tangent_;  // u ↦ Jᵀu, linear, whose own products are J v
};

}  // namespace stillpoint
