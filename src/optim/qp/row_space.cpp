#include "optim/qp/row_space.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace stillpoint::detail {

bool plainly_independent(Matrix& gram) {
  constexpr double plainly = 1e-8;  // the square of a row's distance from the others, as part of its length
  return plainly_definite(gram, plainly);
}

RowSpace RowSpace::taken_as_they_are(const Matrix& c) {
  RowSpace space;
  space.rows_ = space.rank_ = c.rows;
  space.independent_ = c;
  for (std::int64_t i = 0; i < c.rows; ++i) {
    space.size_.push_back(std::sqrt(dot(c[i], c[i], c.cols)));
    for (std::int64_t j = 0; j < c.cols; ++j) space.independent_[i][j] /= space.size_[i];
  }
  return space;
}

RowSpace RowSpace::of_lengths(Vector lengths) {
  RowSpace space;
  space.rows_ = space.rank_ = static_cast<std::int64_t>(lengths.size());
  space.size_ = std::move(lengths);
  return space;
}

RowSpace RowSpace::decomposed(Matrix c) {
  constexpr double rank_tolerance = 1e-11;  // of the largest singular value
  const Matrix turn = orthogonalize_rows(c);
  Vector length(c.rows);
  for (std::int64_t i = 0; i < c.rows; ++i) length[i] = std::sqrt(dot(c[i], c[i], c.cols));
  const double least = rank_tolerance * largest(length);
  const auto rank = std::count_if(length.begin(), length.end(), [&](double l) { return l > least; });
  RowSpace space;
  space.rows_ = c.rows;
  space.rank_ = rank;
  space.independent_ = Matrix(rank, c.cols);
  space.turn_ = Matrix(rank, c.rows);
  for (std::int64_t i = 0; i < c.rows; ++i) {
    if (!(length[i] > least)) continue;
    const auto r = static_cast<std::int64_t>(space.size_.size());
    for (std::int64_t j = 0; j < c.cols; ++j) space.independent_[r][j] = c[i][j] / length[i];
    std::copy_n(turn[i], c.rows, space.turn_[r]);
    space.size_.push_back(length[i]);
  }
  return space;
}

RowSpace::RowSpace(const Matrix& c) {
  *this = taken_as_they_are(c);
  Matrix pivots(c.rows, c.rows);
  add_gram(1.0, transposed(independent_), pivots);
  if (!plainly_independent(pivots)) *this = decomposed(c);
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
