#pragma once

#include <algorithm>

#include "optim/qp/dense.h"

namespace stillpoint::detail {

/// Solves [Q C'; C −W][x; l] = [f; g] by `add_solution(f, g, x, l)`, which may be rough, and at most so many
/// corrections by the residual in the true system.
template <class System, class AddSolution>
void solve_corrected(const System& system, const Vector& w, int most_corrections, AddSolution&& add_solution,
                     const Vector& f, const Vector& g, Vector& x, Vector& l) {
  constexpr double close = 1e-13;  // of the right-hand side
  x.assign(f.size(), 0.0);
  l.assign(g.size(), 0.0);
  Vector f_left = f;
  Vector g_left = g;
  double best = std::max(largest(f), largest(g));
  const double wanted = close * best;
  for (int i = 0; i <= most_corrections; ++i) {
    Vector x_next = x;
    Vector l_next = l;
    add_solution(f_left, g_left, x_next, l_next);
    f_left = f;
    g_left = g;
    system.add_curvature(-1.0, x_next, f_left);
    system.add_pull(-1.0, l_next, f_left);
    system.add_push(-1.0, x_next, g_left);
    for (std::size_t r = 0; r < g.size(); ++r) g_left[r] += w[r] * l_next[r];
    const double left = std::max(largest(f_left), largest(g_left));
    if (i > 0 && !(left < best)) return;  // rounding has the last word
    best = left;
    x = x_next;
    l = l_next;
    if (left <= wanted) return;
  }
}

}  // namespace stillpoint::detail
