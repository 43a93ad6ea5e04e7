#include "optim/qp/equality_kkt.h"

#include <algorithm>
#include <utility>

namespace stillpoint::detail {

namespace {

Matrix copied(const Rows& rows, std::int64_t columns) {
  Matrix m(static_cast<std::int64_t>(rows.size()), columns);
  for (std::int64_t i = 0; i < m.rows; ++i) std::copy_n(rows[i], columns, m[i]);
  return m;
}

}  // namespace

EqualityKkt::EqualityKkt(const Matrix& q, std::shared_ptr<const Matrix> factor, const Rows& rows,
                         double singular, bool take_dependent)
    : factor_(std::move(factor)) {
  const Matrix c = copied(rows, q.cols);
  const bool definite = factor_ != nullptr;
  if (c.rows <= c.cols) {
    rows_ = RowSpace::taken_as_they_are(c);
    if (!definite) factorize_augmented(q, singular);
    if (factorize_rows()) return;
  }
  refused_ = !take_dependent;
  if (refused_) return;
  rows_ = RowSpace::decomposed(c);
  if (!definite) factorize_augmented(q, singular);
  factorize_rows();
}

EqualityKkt::EqualityKkt(std::shared_ptr<const Matrix> factor, const WhitenedRows& rows, const Vector& length,
                         const std::vector<std::int64_t>& which)
    : factor_(std::move(factor)) {
  const auto k = static_cast<std::int64_t>(which.size());
  refused_ = k > factor_->rows;
  if (refused_) return;
  complement_ = Matrix(k, k);
  Vector own_length(k);
  for (std::int64_t i = 0; i < k; ++i) {
    own_length[i] = length[which[i]];
    for (std::int64_t j = i; j < k; ++j)
      complement_[i][j] = rows.gram[std::min(which[i], which[j])][std::max(which[i], which[j])];
  }
  refused_ = !plainly_independent(complement_);
  if (refused_) return;
  rows_ = RowSpace::of_lengths(std::move(own_length));
  reached_ = Matrix(factor_->rows, k);
  for (std::int64_t j = 0; j < reached_.rows; ++j) {
    for (std::int64_t i = 0; i < k; ++i) reached_[j][i] = rows.columns[j][which[i]];
  }
}

bool EqualityKkt::factorize_rows() {
  reached_ = transposed(rows_.independent());
  solve_transposed(*factor_, reached_);
  complement_ = Matrix(reached_.cols, reached_.cols);
  add_gram(1.0, reached_, complement_);
  return plainly_independent(complement_);
}

void EqualityKkt::factorize_augmented(const Matrix& q, double singular) {
  const double size = max_diagonal(q);
  weight_ = size > 0.0 ? size : 1.0;
  Matrix augmented = q;
  add_gram(weight_, rows_.independent(), augmented);
  auto factor = std::make_shared<Matrix>(augmented);
  singular_ = !factorize(*factor, singular * max_diagonal(augmented));
  // Rounding may have left it indefinite.
  bool factorized = !singular_;
  for (double nudge = 1e-8; !factorized && nudge < 1.0; nudge *= 10.0) {
    *factor = augmented;
    for (std::int64_t i = 0; i < q.rows; ++i) (*factor)[i][i] += nudge * weight_;
    factorized = factorize(*factor, 0.0);
  }
  factor_ = std::move(factor);
}

void EqualityKkt::add_solution(const Vector& f, const Vector& g, Vector& x, Vector& w) const {
  const Vector target = rows_.reduced(g);
  Vector step = f;
  if (weight_ > 0.0) multiply_transposed(weight_, rows_.independent(), target, step);
  const Vector dual = solve_by_complement(*factor_, reached_, complement_, target, step);
  axpy(1.0, step, x);
  axpy(1.0, rows_.widened(dual), w);
}

EqualityKkt::Sides left_of(EqualityKkt::Sides right, const Matrix& q, const Rows& c, const Vector& x,
                           const Vector& w) {
  multiply(-1.0, q, x, right.f);
  for (std::size_t i = 0; i < c.size(); ++i) {
    axpy(-w[i], c[i], right.f.data(), q.cols);
    right.g[i] -= dot(c[i], x.data(), q.cols);
  }
  return right;
}

double largest(const EqualityKkt::Sides& sides) { return std::max(largest(sides.f), largest(sides.g)); }

EqualityKkt::Sides EqualityKkt::solve(const Matrix& q, const Rows& c, const Sides& right, Vector& x,
                                      Vector& w) const {
  constexpr int most_corrections = 2;
  constexpr double close = 1e-12;  // of the right-hand side
  x.assign(q.rows, 0.0);
  w.assign(c.size(), 0.0);
  add_solution(right.f, right.g, x, w);
  Sides left = left_of(right, q, c, x, w);
  for (int i = 0; i < most_corrections; ++i) {
    const double missed = largest(left);
    if (missed <= close * largest(right)) break;
    Vector x_next = x;
    Vector w_next = w;
    add_solution(left.f, left.g, x_next, w_next);
    Sides left_next = left_of(right, q, c, x_next, w_next);
    if (!(largest(left_next) < missed)) break;  // rounding has the last word
    const bool stalls = largest(left_next) > missed / 2;
    x = std::move(x_next);
    w = std::move(w_next);
    left = std::move(left_next);
    if (stalls) break;
  }
  return left;
}

}  // namespace stillpoint::detail
