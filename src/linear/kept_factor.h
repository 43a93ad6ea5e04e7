#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

/// A matrix for each sample, `[B, N, N]`, factorized once and kept for as long as it serves: a system with it
/// costs B·N² operations. That of one sample can be renewed without touching the others. Right-hand sides are
/// `[B, …]`, of N numbers a sample, and solutions are like them; half precision is solved in float.
class KeptFactor {
 public:
  /// A matrix that does not solve the system with `b` counts as singular: see `inverse_or_pseudoinverse`.
  KeptFactor(const at::Tensor& matrix, const at::Tensor& b);

  /// Replaces the marked samples' matrices. Copies of this object made before keep theirs.
  void renew(const Mask& marked, const at::Tensor& matrix, const at::Tensor& b);

  /// A⁻¹ b.
  at::Tensor solve(const at::Tensor& b) const;
  /// A⁻ᵀ u.
  at::Tensor solve_transposed(const at::Tensor& u) const;

 private:
  at::Tensor inverse_;  // [B, N, N]; never written to, since copies share it
};

}  // namespace stillpoint::detail
