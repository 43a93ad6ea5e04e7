#pragma once

#include <memory>

#include "optim/sparse/compressed_rows.h"

namespace stillpoint::detail {

/// Throws if the library was built without a sparse factorization, and says what is missing.
void check_sparse_support();

/// The factorized matrix [Q + εI, C'; C, −W] with ε, W > 0, which has an LDL' in every order of its rows: one
/// that leaves L sparse is chosen once, by approximate minimum degree. By AMD and LDL of SuiteSparse.
/// (Vanderbei 1995: Symmetric quasidefinite matrices. Davis 2005: Algorithm 849.)
class QuasiDefinite {
 public:
  QuasiDefinite(const CompressedRows& q, const CompressedRows& c);  ///< `q` is symmetric, with both halves
  ~QuasiDefinite();
  QuasiDefinite(QuasiDefinite&&) noexcept;
  QuasiDefinite& operator=(QuasiDefinite&&) noexcept;

  /// False if a pivot is zero or not finite.
  bool factorize(double epsilon, const Vector& w);
  /// Whether so many pivots are positive as there are unknowns: by Sylvester's law, whether Q + εI + C'W⁻¹C
  /// is positive definite.
  bool has_right_inertia() const;
  /// In the place of [f; g] the solution [x; l].
  void solve(Vector& x, Vector& l) const;

 private:
  struct Numbers;
  std::unique_ptr<Numbers> numbers_;
};

}  // namespace stillpoint::detail
