#pragma once

#include <cstdint>

#include "optim/qp/dense.h"

namespace stillpoint::detail {

/// The system [Q C'; C −W][x; l] = [f; g] of an interior point step, W ≥ 0 diagonal, zero for the first
/// `equalities` rows of C, which are independent.
///
/// A definite Q is eliminated once and for all; what is left is CQ⁻¹C' + W, which loses no accuracy as W
/// spreads. Else the rows with W > 0 are eliminated, as for linear programs, with a slight regularization of
/// Q that the corrections by the true residual undo.
class NewtonSystem {
 public:
  /// Refers to its arguments.
  NewtonSystem(const Matrix& q, const Matrix& c, std::int64_t equalities);

  bool factorize(const Vector& w);  ///< false if it failed, in rounding
  void solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const;

 private:
  bool factorize_complement();
  bool factorize_normal();
  void add_by_complement(Vector f, const Vector& g, Vector& x, Vector& l) const;
  void add_by_normal(Vector f, const Vector& g, Vector& x, Vector& l) const;

  const Matrix& q_;
  const Matrix& c_;
  std::int64_t equalities_;
  bool definite_;
  Vector w_;
  Matrix factor_;      // of Q, or of H = Q + εI + C'C/W, with ρ in the place of 1/W for equalities
  Matrix solved_;      // C L⁻ᵀ, or the equalities of it
  Matrix gram_;        // C Q⁻¹ C', where Q is definite
  Matrix complement_;  // the factor of that + W, or of A H⁻¹ A'
  double weight_ = 1.0;
};

}  // namespace stillpoint::detail
