#pragma once

#include <cstdint>

#include "optim/qp/dense.h"

namespace stillpoint::detail {

/// The system [Q C'; C −W][x; l] = [f; g] of an interior point step, W ≥ 0 diagonal, zero for the first
/// `equalities` rows of C, which are independent. Q may be singular, or zero: the rows with W > 0 are
/// eliminated, as for linear programs, with a slight regularization of Q that the corrections by the true
/// residual undo.
class NormalSystem {
 public:
  NormalSystem(Matrix q, Matrix c, std::int64_t equalities);

  std::int64_t unknowns() const { return c_.cols; }
  std::int64_t rows() const { return c_.rows; }
  std::int64_t equalities() const { return equalities_; }
  void add_curvature(double a, const Vector& x, Vector& y) const { multiply(a, q_, x, y); }
  void add_push(double a, const Vector& x, Vector& y) const { multiply(a, c_, x, y); }
  void add_pull(double a, const Vector& l, Vector& y) const { multiply_transposed(a, c_, l, y); }

  bool factorize(const Vector& w);  ///< false if it failed, in rounding
  /// Corrected by the true residual.
  void solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const;

 private:
  void add_solution(Vector f, const Vector& g, Vector& x, Vector& l) const;
  double scale(std::int64_t row) const { return row < equalities_ ? weight_ : 1.0 / w_[row]; }

  Matrix q_;
  Matrix c_;
  std::int64_t equalities_;
  double weight_;  // ρ, in the place of 1/W for equalities
  Vector w_;
  Matrix factor_;      // U of H = Q + εI + C'C/W
  Matrix reached_;     // U⁻ᵀA' for the equalities A
  Matrix complement_;  // the factor of A H⁻¹ A'
};

}  // namespace stillpoint::detail
