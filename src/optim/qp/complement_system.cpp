#include "optim/qp/complement_system.h"

#include <algorithm>
#include <utility>

#include "optim/qp/corrections.h"

namespace stillpoint::detail {

ComplementSystem::ComplementSystem(Matrix columns, std::int64_t equalities)
    : columns_(std::move(columns)), equalities_(equalities), gram_(columns_.cols, columns_.cols) {
  add_gram(1.0, columns_, gram_);
}

// Dependent rows whose W vanishes leave a singular matrix, to rounding. It gets what it takes, and the
// corrections by the true residual have to do the rest.
bool ComplementSystem::factorize(const Vector& w) {
  constexpr double slightest = 1e-15;  // of the largest diagonal entry
  constexpr double most = 1e-8;
  constexpr double faster = 10.0;
  w_ = w;
  const double size = max_diagonal(gram_);
  for (double added = 0.0; added <= most; added = std::max(slightest, faster * added)) {
    factor_ = gram_;
    for (std::int64_t i = 0; i < rows(); ++i) factor_[i][i] += w_[i] + added * size;
    if (detail::factorize(factor_, 0.0)) return true;
  }
  return false;
}

void ComplementSystem::add_solution(Vector f, const Vector& g, Vector& x, Vector& l) const {
  Vector dual = g;
  for (double& v : dual) v = -v;
  add_push(1.0, f, dual);
  solve_both(factor_, dual);
  add_pull(-1.0, dual, f);
  axpy(1.0, dual, l);
  axpy(1.0, f, x);
}

void ComplementSystem::solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const {
  solve_corrected(*this, f, g, x, l);
}

}  // namespace stillpoint::detail
