#include "optim/qp/equality_kkt.h"

#include <algorithm>
#include <utility>

namespace stillpoint::detail {

EqualityKkt::EqualityKkt(const Matrix& q, std::shared_ptr<const Matrix> factor, const Matrix& c,
                         double singular, bool take_dependent)
    : factor_(std::move(factor)) {
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

void EqualityKkt::solve(const Matrix& q, const Matrix& c, const Vector& f, const Vector& g, Vector& x,
                        Vector& w) const {
  constexpr int most_corrections = 2;
  constexpr double close = 1e-14;  // of the right-hand side
  x.assign(q.rows, 0.0);
  w.assign(c.rows, 0.0);
  add_solution(f, g, x, w);
  for (int i = 0; i < most_corrections; ++i) {
    Vector f_left = f;
    Vector g_left = g;
    multiply(-1.0, q, x, f_left);
    multiply_transposed(-1.0, c, w, f_left);
    multiply(-1.0, c, x, g_left);
    if (std::max(largest(f_left), largest(g_left)) <= close * std::max(largest(f), largest(g))) return;
    add_solution(f_left, g_left, x, w);
  }
}

}  // namespace stillpoint::detail
