#include "optim/qp/row_space.h"

#include <algorithm>
#include <cmath>

namespace stillpoint::detail {

RowSpace::RowSpace(const Matrix& c) : rows_(c.rows), independent_(c), size_(c.rows, 1.0) {
  constexpr double plainly = 1e-8;  // the square of a row's distance from the others, as part of its length
  bool some_vanish = rows_ > c.cols;
  for (std::int64_t i = 0; i < rows_; ++i) {
    size_[i] = std::sqrt(dot(c[i], c[i], c.cols));
    some_vanish = some_vanish || size_[i] == 0.0;
    for (std::int64_t j = 0; j < c.cols; ++j) independent_[i][j] /= size_[i];
  }
  Matrix factor = some_vanish ? Matrix() : gram(independent_);
  if (some_vanish || !factorize(factor, plainly)) reduce(c);
}

void RowSpace::reduce(Matrix scaled) {
  constexpr double rank_tolerance = 1e-11;  // of the largest singular value
  const Matrix turn = orthogonalize_rows(scaled);
  Vector length(rows_);
  for (std::int64_t i = 0; i < rows_; ++i) length[i] = std::sqrt(dot(scaled[i], scaled[i], scaled.cols));
  const double least = rank_tolerance * largest(length);
  const auto rank = std::count_if(length.begin(), length.end(), [&](double l) { return l > least; });
  independent_ = Matrix(rank, scaled.cols);
  turn_ = Matrix(rank, rows_);
  size_.clear();
  for (std::int64_t i = 0; i < rows_; ++i) {
    if (!(length[i] > least)) continue;
    const auto r = static_cast<std::int64_t>(size_.size());
    for (std::int64_t j = 0; j < scaled.cols; ++j) independent_[r][j] = scaled[i][j] / length[i];
    std::copy_n(turn[i], rows_, turn_[r]);
    size_.push_back(length[i]);
  }
}

Vector RowSpace::reduced(const Vector& r) const {
  Vector v = r;
  if (turn_.cols > 0) {
    v.assign(turn_.rows, 0.0);
    multiply(1.0, turn_, r, v);
  }
  for (std::size_t i = 0; i < v.size(); ++i) v[i] /= size_[i];
  return v;
}

Vector RowSpace::widened(const Vector& v) const {
  Vector scaled = v;
  for (std::size_t i = 0; i < v.size(); ++i) scaled[i] /= size_[i];
  if (turn_.cols == 0) return scaled;
  Vector w(rows_, 0.0);
  multiply_transposed(1.0, turn_, scaled, w);
  return w;
}

}  // namespace stillpoint::detail
