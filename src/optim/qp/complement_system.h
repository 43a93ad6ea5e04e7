#pragma once

#include <cstdint>

#include "optim/qp/dense.h"

namespace stillpoint::detail {

/// The system [I C'; C −W][x; l] = [f; g] of an interior point step, W ≥ 0 diagonal, zero for the first
/// `equalities` rows of C. What is left of it, CC' + W, loses no accuracy as W spreads.
class ComplementSystem {
 public:
  ComplementSystem(Matrix columns, std::int64_t equalities);  ///< `columns` is C'

  std::int64_t unknowns() const { return columns_.rows; }
  std::int64_t rows() const { return columns_.cols; }
  std::int64_t equalities() const { return equalities_; }
  void add_curvature(double a, const Vector& x, Vector& y) const { axpy(a, x, y); }
  void add_push(double a, const Vector& x, Vector& y) const { multiply_transposed(a, columns_, x, y); }
  void add_pull(double a, const Vector& l, Vector& y) const { multiply(a, columns_, l, y); }

  bool factorize(const Vector& w);  ///< false if it failed, in rounding
  /// Corrected by the true residual.
  void solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const;

 private:
  Matrix columns_;
  std::int64_t equalities_;
  Vector w_;
  Matrix gram_;    // CC'
  Matrix factor_;  // of that + W
};

}  // namespace stillpoint::detail
