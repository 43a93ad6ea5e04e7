#include "optim/qp/complement_system.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace stillpoint::detail {

std::shared_ptr<const WhitenedRows> whitened_rows(Matrix columns) {
  auto rows = std::make_shared<WhitenedRows>();
  rows->gram = Matrix(columns.cols, columns.cols);
  add_gram(1.0, columns, rows->gram);
  rows->columns = std::move(columns);
  return rows;
}

ComplementSystem::ComplementSystem(std::shared_ptr<const WhitenedRows> rows, std::int64_t equalities)
    : rows_(std::move(rows)), equalities_(equalities) {}

// Dependent rows whose W vanishes leave a singular matrix, to rounding. It gets what it takes, and the
// corrections by the true residual have to do the rest.
bool ComplementSystem::factorize(const Vector& w) {
  constexpr double slightest = 1e-15;  // of the largest diagonal entry
  constexpr double most = 1e-8;
  constexpr double faster = 10.0;
  w_ = w;
  const double size = max_diagonal(rows_->gram);
  for (double added = 0.0; added <= most; added = std::max(slightest, faster * added)) {
    factor_ = rows_->gram;
    for (std::int64_t i = 0; i < rows(); ++i) factor_[i][i] += w_[i] + added * size;
    if (detail::factorize(factor_, 0.0)) return true;
  }
  return false;
}

void ComplementSystem::solve_roughly(const Vector& f, const Vector& g, Vector& x, Vector& l) const {
  l = g;
  for (double& v : l) v = -v;
  add_push(1.0, f, l);
  solve_both(factor_, l);
  x = f;
  add_pull(-1.0, l, x);  // so that the first equation holds
}

void ComplementSystem::solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const {
  constexpr int most_corrections = 4;
  constexpr double close = 1e-13;  // of the right-hand side
  solve_roughly(f, g, x, l);
  double best = std::numeric_limits<double>::infinity();
  const double wanted = close * std::max(largest(f), largest(g));
  Vector x_before;
  Vector l_before;
  Vector left;
  for (int i = 0;; ++i) {
    left = g;
    add_push(-1.0, x, left);
    for (std::size_t r = 0; r < g.size(); ++r) left[r] += w_[r] * l[r];
    const double missed = largest(left);
    if (i > 0 && !(missed < best)) {  // rounding has the last word
      x = x_before;
      l = l_before;
      return;
    }
    if (missed <= wanted || i == most_corrections) return;
    best = missed;
    x_before = x;
    l_before = l;
    solve_both(factor_, left);
    axpy(-1.0, left, l);
    add_pull(1.0, left, x);
  }
}

}  // namespace stillpoint::detail
