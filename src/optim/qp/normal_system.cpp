#include "optim/qp/normal_system.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "optim/qp/corrections.h"

namespace stillpoint::detail {

NormalSystem::NormalSystem(Matrix q, Matrix c, std::int64_t equalities)
    : q_(std::move(q)), c_(std::move(c)), equalities_(equalities), weight_(std::max(1.0, max_diagonal(q_))) {}

// A Q of rounded numbers may have eigenvalues slightly below zero. It gets what it takes.
bool NormalSystem::factorize(const Vector& w) {
  constexpr double slightest = 1e-10;  // as part of the largest diagonal entry of Q, or of 1
  constexpr double most = 1e-5;
  constexpr double faster = 10.0;
  w_ = w;
  Matrix weighted = c_;
  for (std::int64_t i = 0; i < rows(); ++i) {
    const double root = std::sqrt(scale(i));
    for (std::int64_t j = 0; j < unknowns(); ++j) weighted[i][j] *= root;
  }
  Matrix h = q_;
  add_gram(1.0, weighted, h);
  for (double added = slightest;; added *= faster) {
    factor_ = h;
    for (std::int64_t j = 0; j < unknowns(); ++j) factor_[j][j] += added * weight_;
    if (detail::factorize(factor_, 0.0)) break;
    if (added > most) return false;
  }
  Matrix a(equalities_, unknowns());
  std::copy_n(c_.data.begin(), a.data.size(), a.data.begin());
  reached_ = transposed(a);
  solve_transposed(factor_, reached_);
  complement_ = Matrix(equalities_, equalities_);
  add_gram(1.0, reached_, complement_);
  return detail::factorize(complement_, 0.0);
}

void NormalSystem::add_solution(Vector f, const Vector& g, Vector& x, Vector& l) const {
  Vector pulled = g;
  for (std::int64_t i = 0; i < rows(); ++i) pulled[i] *= scale(i);
  add_pull(1.0, pulled, f);
  const Vector equal(g.begin(), g.begin() + equalities_);
  const Vector dual = solve_by_complement(factor_, reached_, complement_, equal, f);
  axpy(1.0, f, x);
  for (std::int64_t i = 0; i < rows(); ++i)
    l[i] += i < equalities_ ? dual[i] : (dot(c_[i], f.data(), unknowns()) - g[i]) / w_[i];
}

void NormalSystem::solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const {
  constexpr int most_corrections = 4;
  const auto add = [this](const Vector& of_f, const Vector& of_g, Vector& to_x, Vector& to_l) {
    add_solution(of_f, of_g, to_x, to_l);
  };
  solve_corrected(*this, w_, most_corrections, add, f, g, x, l);
}

}  // namespace stillpoint::detail
