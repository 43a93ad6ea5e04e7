#include "optim/qp/newton_system.h"

#include <algorithm>
#include <cmath>

namespace stillpoint::detail {
namespace {

constexpr double kPlainlyDefinite = 1e-8;  // pivots, as part of the largest diagonal entry
constexpr double kRegularization = 1e-10;  // of Q, as part of the largest diagonal entry, or of 1

}  // namespace

NewtonSystem::NewtonSystem(const Matrix& q, const Matrix& c, std::int64_t equalities)
    : q_(q), c_(c), equalities_(equalities), factor_(q) {
  definite_ = detail::factorize(factor_, kPlainlyDefinite * max_diagonal(q));
  if (!definite_) return;
  solved_ = c;
  for (std::int64_t i = 0; i < c.rows; ++i) solve_lower(factor_, solved_[i]);
  gram_ = gram(solved_);
}

bool NewtonSystem::factorize(const Vector& w) {
  w_ = w;
  return definite_ ? factorize_complement() : factorize_normal();
}

// Dependent rows whose W vanishes leave a singular matrix, to rounding. It gets what it takes, and the
// corrections by the true residual have to do the rest.
bool NewtonSystem::factorize_complement() {
  constexpr double slightest = 1e-15;  // of the largest diagonal entry
  constexpr double most = 1e-8;
  constexpr double faster = 10.0;
  const double size = max_diagonal(gram_);
  for (double added = 0.0; added <= most; added = std::max(slightest, faster * added)) {
    complement_ = gram_;
    for (std::int64_t i = 0; i < c_.rows; ++i) complement_[i][i] += w_[i] + added * size;
    if (detail::factorize(complement_, 0.0)) return true;
  }
  return false;
}

bool NewtonSystem::factorize_normal() {
  const double size = std::max(1.0, max_diagonal(q_));
  weight_ = size;
  factor_ = q_;
  for (std::int64_t i = 0; i < c_.rows; ++i) {
    const double scale = i < equalities_ ? weight_ : 1.0 / w_[i];
    for (std::int64_t j = 0; j < c_.cols; ++j) {
      if (c_[i][j] != 0.0) axpy(scale * c_[i][j], c_[i], factor_[j], j + 1);
    }
  }
  for (std::int64_t j = 0; j < c_.cols; ++j) factor_[j][j] += kRegularization * size;
  if (!detail::factorize(factor_, 0.0)) return false;
  solved_ = Matrix(equalities_, c_.cols);
  std::copy_n(c_.data.begin(), solved_.data.size(), solved_.data.begin());
  for (std::int64_t i = 0; i < equalities_; ++i) solve_lower(factor_, solved_[i]);
  complement_ = gram(solved_);
  return detail::factorize(complement_, 0.0);
}

void NewtonSystem::add_by_complement(Vector f, const Vector& g, Vector& x, Vector& l) const {
  axpy(1.0, solve_by_complement(factor_, solved_, complement_, g.data(), f), l);
  axpy(1.0, f, x);
}

void NewtonSystem::add_by_normal(Vector f, const Vector& g, Vector& x, Vector& l) const {
  Vector pulled = g;
  for (std::int64_t i = 0; i < c_.rows; ++i) pulled[i] *= i < equalities_ ? weight_ : 1.0 / w_[i];
  multiply_transposed(1.0, c_, pulled, f);
  const Vector dual = solve_by_complement(factor_, solved_, complement_, g.data(), f);
  axpy(1.0, f, x);
  for (std::int64_t i = 0; i < c_.rows; ++i) {
    l[i] += i < equalities_ ? dual[i] : (dot(c_[i], f.data(), c_.cols) - g[i]) / w_[i];
  }
}

void NewtonSystem::solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const {
  constexpr int most_corrections = 4;
  constexpr double close = 1e-13;  // of the right-hand side
  x.assign(f.size(), 0.0);
  l.assign(g.size(), 0.0);
  Vector f_left = f;
  Vector g_left = g;
  const double wanted = close * std::max(largest(f), largest(g));
  double best = std::max(largest(f), largest(g));
  for (int i = 0; i <= most_corrections; ++i) {
    Vector x_next = x;
    Vector l_next = l;
    if (definite_) {
      add_by_complement(f_left, g_left, x_next, l_next);
    } else {
      add_by_normal(f_left, g_left, x_next, l_next);
    }
    f_left = f;
    g_left = g;
    multiply(-1.0, q_, x_next, f_left);
    multiply_transposed(-1.0, c_, l_next, f_left);
    multiply(-1.0, c_, x_next, g_left);
    for (std::size_t r = 0; r < g.size(); ++r) g_left[r] += w_[r] * l_next[r];
    const double left = std::max(largest(f_left), largest(g_left));
    if (i > 0 && !(left < best)) return;  // rounding has the last word
    best = left;
    x = x_next;
    l = l_next;
    if (left <= wanted) return;
  }
}

}  // namespace stillpoint::detail
