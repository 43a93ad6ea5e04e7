#pragma once

#include "optim/qp/dense.h"

namespace stillpoint::detail {

/// Factorizes the products of rows with each other, as `factorize`; false if the rows are dependent, or
/// nearly.
bool plainly_independent(Matrix& gram);

/// The rows of a matrix C as U Σ R, with independent rows R, diagonal Σ and orthonormal columns U: a matrix
/// of full rank in its place, and the way there and back.
class RowSpace {
 public:
  RowSpace() = default;
  /// Where the rows are plainly independent, as `taken_as_they_are`; else as `decomposed`.
  explicit RowSpace(const Matrix& c);
  /// R has the rows, scaled to length 1, and U is the identity.
  static RowSpace taken_as_they_are(const Matrix& c);
  /// The same where R is known elsewhere: of rows with these lengths.
  static RowSpace of_lengths(Vector lengths);
  /// By the singular value decomposition.
  static RowSpace decomposed(Matrix c);

  const Matrix& independent() const { return independent_; }  ///< R
  const Vector& size() const { return size_; }                ///< of Σ
  bool dependent() const { return rank_ < rows_; }
  /// Σ⁻¹U'r: what R dx has to be for C dx = r, in least squares.
  Vector reduced(const Vector& r) const;
  /// UΣ⁻¹v: of the w with C'w = R'v the shortest.
  Vector widened(const Vector& v) const;

 private:
  std::int64_t rows_ = 0;
  std::int64_t rank_ = 0;
  Matrix independent_ = {};
  Matrix turn_ = {};  // U', where U is not the identity
  Vector size_ = {};  // of Σ
};

}  // namespace stillpoint::detail
