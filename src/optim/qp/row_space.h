#pragma once

#include "optim/qp/dense.h"

namespace stillpoint::detail {

/// The rows of a matrix C as U Σ R, with independent rows R, diagonal Σ and orthonormal columns U: a matrix
/// of full rank in its place, and the way there and back. Where the rows are plainly independent, R has them,
/// scaled, and U is the identity; else it is the singular value decomposition.
class RowSpace {
 public:
  explicit RowSpace(const Matrix& c);

  const Matrix& independent() const { return independent_; }  ///< R
  bool dependent() const { return independent_.rows < rows_; }
  /// Σ⁻¹U'r: what R dx has to be for C dx = r, in least squares.
  Vector reduced(const Vector& r) const;
  /// UΣ⁻¹v: of the w with C'w = R'v the shortest.
  Vector widened(const Vector& v) const;

 private:
  void reduce(Matrix scaled);

  std::int64_t rows_;
  Matrix independent_;
  Matrix turn_ = {};  // U', where U is not the identity
  Vector size_;       // of Σ
};

}  // namespace stillpoint::detail
