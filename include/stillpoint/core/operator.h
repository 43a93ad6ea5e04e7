#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stillpoint/core/map.h"

namespace stillpoint {

/// What is known of a matrix beforehand. The solvers rely on it without testing it.
enum class Structure : std::uint8_t {
  General,
  Symmetric,
  PositiveDefinite,  ///< symmetric, too
};

/// A batch of square matrices, one per sample, given by their product with a batch of vectors.
///
/// Vectors are tensors `[B, …]`. The matrix of a sample acts on its numbers in row-major order. Products must
/// be linear and must not edit their argument.
struct LinearOperator {
  /// v ↦ A v; or v ↦ P v if `identity_minus` is set, with A = I − P.
  Map product;
  Structure structure = Structure::General;
  /// The operator is I − product. A step of fixed-point iteration then costs one product and one pass over
  /// it.
  bool identity_minus = false;

  /// A v.
  at::Tensor mv(const at::Tensor& v) const;
};

/// The matrices of `a` as `[B, N, N]`, for vectors with the shape and dtype of `like`. Right only if the
/// samples do not mix, as for every operator described above. Cost: N products, B·N² numbers.
at::Tensor to_dense(const LinearOperator& a, const at::Tensor& like);

}  // namespace stillpoint
