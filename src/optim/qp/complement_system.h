#pragma once

#include <cstdint>
#include <memory>

#include "optim/qp/dense.h"

namespace stillpoint::detail {

/// The rows of a program in the unknowns of the Cholesky factor U of its Q, each divided by a length.
struct WhitenedRows {
  Matrix columns;  ///< U⁻ᵀC', divided
  Matrix gram;     ///< the upper triangle of the products of these columns
};
std::shared_ptr<const WhitenedRows> whitened_rows(Matrix columns);

/// The system [I C'; C −W][x; l] = [f; g] of an interior point step, W ≥ 0 diagonal, zero for the first
/// `equalities` rows of C. What is left of it, CC' + W, loses no accuracy as W spreads.
class ComplementSystem {
 public:
  ComplementSystem(std::shared_ptr<const WhitenedRows> rows, std::int64_t equalities);

  std::int64_t unknowns() const { return rows_->columns.rows; }
  std::int64_t rows() const { return rows_->columns.cols; }
  std::int64_t equalities() const { return equalities_; }
  void add_curvature(double a, const Vector& x, Vector& y) const { axpy(a, x, y); }
  void add_push(double a, const Vector& x, Vector& y) const { multiply_transposed(a, rows_->columns, x, y); }
  void add_pull(double a, const Vector& l, Vector& y) const { multiply(a, rows_->columns, l, y); }

  bool factorize(const Vector& w);  ///< false if it failed, in rounding
  /// Not corrected, nor looked at.
  void solve_roughly(const Vector& f, const Vector& g, Vector& x, Vector& l) const;
  /// Corrected by the true residual.
  void solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const;

 private:
  std::shared_ptr<const WhitenedRows> rows_;
  std::int64_t equalities_;
  Vector w_;
  Matrix factor_;  // of CC' + W
};

}  // namespace stillpoint::detail
