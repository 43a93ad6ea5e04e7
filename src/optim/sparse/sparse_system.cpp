#include "optim/sparse/sparse_system.h"

#include <algorithm>

namespace stillpoint::detail {

bool SparseSystem::factorize(const Vector& w) {
  constexpr double slight = 1e-8;
  constexpr double most = 1e-4;
  constexpr double of_rows = 10.0;
  constexpr double faster = 10.0;
  w_ = w;
  for (double added = slight; added <= most; added *= faster) {
    Vector regular = w;
    for (double& v : regular) v += of_rows * added;
    if (factor_.factorize(added, regular)) return true;
  }
  return false;
}

void SparseSystem::solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const {
  constexpr int most_corrections = 12;
  constexpr double close = 1e-13;  // of the right-hand side
  x.assign(f.size(), 0.0);
  l.assign(g.size(), 0.0);
  Vector f_left = f;
  Vector g_left = g;
  double best = std::max(largest(f), largest(g));
  const double wanted = close * best;
  for (int i = 0; i <= most_corrections; ++i) {
    factor_.solve(f_left, g_left);
    Vector x_next = x;
    Vector l_next = l;
    axpy(1.0, f_left, x_next);
    axpy(1.0, g_left, l_next);
    f_left = f;
    g_left = g;
    add_curvature(-1.0, x_next, f_left);
    add_pull(-1.0, l_next, f_left);
    add_push(-1.0, x_next, g_left);
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
