#pragma once

#include <memory>

#include "optim/qp/complement_system.h"
#include "optim/qp/instance.h"

namespace stillpoint::detail {

/// A program with definite Q = U'U in the unknowns v with Ux = σv, where Q is the identity and all numbers
/// have a size of about 1, and the way back.
class Whitened {
 public:
  /// Refers to `factor`, the U of the program's Q.
  Whitened(const Instance& program, const Matrix& factor);

  ComplementSystem system() const { return {rows_, equalities_}; }
  const std::shared_ptr<const WhitenedRows>& rows() const { return rows_; }
  double length(std::int64_t row) const { return 1.0 / row_[row]; }  ///< by which a row was divided
  const Vector& p() const { return p_; }
  const Vector& d() const { return d_; }  ///< b, and below it h
  void undo(Outcome& outcome) const;

 private:
  const Matrix& factor_;
  std::shared_ptr<const WhitenedRows> rows_;  // of A, then of G
  std::int64_t equalities_;
  Vector p_, d_, row_;
  double unit_ = 1.0;  // σ
};

}  // namespace stillpoint::detail
