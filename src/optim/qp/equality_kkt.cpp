#include "optim/qp/equality_kkt.h"

#include <algorithm>

namespace stillpoint::detail {
namespace {

// Pivots of a definite matrix, as part of its largest diagonal entry.
constexpr double kDefinite = 1e-8;
constexpr double kSingular = 1e-12;

}  // namespace

EqualityKkt::EqualityKkt(const Matrix& q, const Matrix& c) : rows_(c), factor_(q) {
  const Matrix& r = rows_.independent();
  const double size = max_diagonal(q);
  if (!factorize(factor_, kDefinite * size)) {
    weight_ = size > 0.0 ? size : 1.0;
    Matrix augmented = q;
    for (std::int64_t i = 0; i < r.rows; ++i) {
      for (std::int64_t j = 0; j < q.rows; ++j) {
        if (r[i][j] != 0.0) axpy(weight_ * r[i][j], r[i], augmented[j], j + 1);
      }
    }
    factor_ = augmented;
    singular_ = !factorize(factor_, kSingular * max_diagonal(augmented));
    if (singular_) {
      factor_ = augmented;
      for (std::int64_t i = 0; i < q.rows; ++i) factor_[i][i] += kDefinite * weight_;
      factorize(factor_, 0.0);
    }
  }
  solved_ = r;
  for (std::int64_t i = 0; i < r.rows; ++i) solve_lower(factor_, solved_[i]);
  complement_ = gram(solved_);
  factorize(complement_, 0.0);
}

void EqualityKkt::add_solution(const Vector& f, const Vector& g, Vector& x, Vector& w) const {
  const Matrix& r = rows_.independent();
  const Vector target = rows_.reduced(g);
  Vector step = f;
  if (weight_ > 0.0) multiply_transposed(weight_, r, target, step);
  const Vector dual = solve_by_complement(factor_, solved_, complement_, target.data(), step);
  axpy(1.0, step, x);
  axpy(1.0, rows_.widened(dual), w);
}

void EqualityKkt::solve(const Matrix& q, const Matrix& c, const Vector& f, const Vector& g, Vector& x,
                        Vector& w) const {
  constexpr int corrections = 2;
  x.assign(q.rows, 0.0);
  w.assign(c.rows, 0.0);
  add_solution(f, g, x, w);
  for (int i = 0; i < corrections; ++i) {
    Vector f_left = f;
    Vector g_left = g;
    multiply(-1.0, q, x, f_left);
    multiply_transposed(-1.0, c, w, f_left);
    multiply(-1.0, c, x, g_left);
    add_solution(f_left, g_left, x, w);
  }
}

}  // namespace stillpoint::detail
