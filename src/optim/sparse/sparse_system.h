#pragma once

#include <cstdint>
#include <utility>

#include "optim/sparse/quasi_definite.h"

namespace stillpoint::detail {

/// The system of `NormalSystem` with sparse matrices, as it stands and not eliminated: bounds stay rows of
/// one entry. Q and W get a slight regularization that the corrections by the true residual undo, so Q may be
/// singular, and rows dependent.
class SparseSystem {
 public:
  SparseSystem(const CompressedRows& q, const CompressedRows& c, std::int64_t equalities)
      : q_(q), c_(c), pull_(transposed(c)), equalities_(equalities), factor_(q, c) {}

  std::int64_t unknowns() const { return c_.cols; }
  std::int64_t rows() const { return c_.rows; }
  std::int64_t equalities() const { return equalities_; }
  void add_curvature(double a, const Vector& x, Vector& y) const { multiply(a, q_, x, y); }
  void add_push(double a, const Vector& x, Vector& y) const { multiply(a, c_, x, y); }
  void add_pull(double a, const Vector& l, Vector& y) const { multiply(a, pull_, l, y); }

  bool factorize(const Vector& w);  ///< false if it failed, in rounding
  /// Corrected by the true residual.
  void solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const;

 private:
  CompressedRows q_, c_, pull_;
  std::int64_t equalities_;
  Vector w_;
  QuasiDefinite factor_;
};

}  // namespace stillpoint::detail
