#pragma once

#include <string>
#include <vector>

#include "stillpoint/core/operator.h"
#include "stillpoint/core/tolerance.h"
#include "support/device.h"

namespace stillpoint::test {

/// What the linear solvers are asked for where a test needs no other.
inline const ResolvedTolerance kTolerance = {.relative = 1e-10, .absolute = 0.0};

/// A batch of linear systems whose solution is known.
struct System {
  std::string name;
  LinearOperator a;
  Tensor b;
  Tensor matrix;           ///< `[B, N, N]`, double
  Tensor solution;         ///< by LibTorch's dense solver, double, of the shape of b
  bool definite = false;   ///< symmetric positive definite
  bool contracts = false;  ///< the spectral radius of I − A is below 1

  // For each sample, in double and in Euclidean norms:
  Tensor amplification() const;  ///< ‖A⁻¹‖, so that ‖x − x*‖ ≤ amplification · ‖b − A x‖
  Tensor residual(const Tensor& x) const;  ///< ‖b − A x‖
  Tensor rounding(const Tensor& x) const;  ///< how far a residual computed in the dtype of b may be off
};

/// A x = b for matrices `[B, N, N]`; the operator is given as I − P if so wished.
System dense_system(std::string name, const Tensor& matrix, const Tensor& b, torch::Dtype dtype,
                    bool identity_minus = false);

/// I − P with matrices P of this spectral radius, one a sample; see `affine_matrix`.
System contraction(double radius, bool normal, torch::Dtype dtype);
/// Symmetric matrices with eigenvalues from 0.1 to 10.
System definite(torch::Dtype dtype);
/// Far from normal: −1 below the diagonal, 1 on it and on three diagonals above. (Grcar 1989.)
System grcar(torch::Dtype dtype);
/// Rows of sizes from 1e-3 to 1e3, in A and in b.
System badly_scaled_rows(torch::Dtype dtype);
/// Samples whose right-hand sides are of sizes from 1e-8 to 1e8.
System samples_of_all_sizes(torch::Dtype dtype);
/// z − conv(z) on images `[B, C, H, W]`.
System images(torch::Dtype dtype);

/// All of the above and a few more: three radii, width 1, batch 1, right-hand sides that are zero.
std::vector<System> known_systems(torch::Dtype dtype);

/// Euclidean norms of the samples, in double.
Tensor norms_of(const Tensor& t);

}  // namespace stillpoint::test
