#include "optim/sparse/active_set.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "optim/sparse/sparse_scaled.h"

namespace stillpoint::detail {
namespace {

// Of the scaled system: Q + ε and −δ. Where a row is eliminated before its unknowns, rounding leaves u/δ of
// them, which has to be small beside ε.
constexpr double kEpsilon = 1e-9;
constexpr double kDelta = 1e-5;

CompressedRows stacked(const SparseInstance& program, const std::vector<std::int64_t>& active) {
  CompressedRows c = program.a;
  for (const std::int64_t i : active) c.add_row_like(program.g, i);
  return c;
}

CompressedRows scaled(CompressedRows m, double by) {
  for (double& v : m.value) v *= by;
  return m;
}

double length(const Vector& v) { return std::sqrt(dot(v, v)); }

Vector random_vector(std::size_t size) {
  std::mt19937 generator(1);  // NOLINT: the same for each program
  std::normal_distribution<double> normal;
  Vector v(size);
  for (double& number : v) number = normal(generator);
  return v;
}

// Whether an operator, which has no eigenvalue above this one, of null vectors, reaches it: by the power
// method, in which they stand out at once.
template <class Apply>
bool reaches(double eigenvalue, std::size_t size, Apply&& apply) {
  constexpr int steps = 5;
  constexpr double nearly = .99;
  if (size == 0) return false;
  Vector v = random_vector(size);
  double grown = 0.0;
  for (int i = 0; i < steps; ++i) {
    const double before = length(v);
    for (double& number : v) number /= before;
    apply(v);
    grown = length(v);
  }
  return grown >= nearly * eigenvalue;
}

}  // namespace

ActiveSet::ActiveSet(const SparseInstance& program, std::vector<std::int64_t> active)
    : active_(std::move(active)),
      cost_(inverse_size(largest(program.q.value))),
      q_(scaled(program.q, cost_)),
      c_(stacked(program, active_)),
      row_(scale_rows(c_)),
      factor_(q_, c_) {
  factorized_ = factor_.factorize(kEpsilon, Vector(c_.rows, kDelta));
  if (factorized_) look_for_null_vectors();
}

// Solves the regularized system, corrected by its residual.
void ActiveSet::solve_regularized(Vector& f, Vector& g) const {
  constexpr int corrections = 2;
  Vector x(f.size(), 0.0);
  Vector w(g.size(), 0.0);
  Vector f_left = f;
  Vector g_left = g;
  for (int i = 0;; ++i) {
    factor_.solve(f_left, g_left);
    axpy(1.0, f_left, x);
    axpy(1.0, g_left, w);
    if (i == corrections) break;
    f_left = f;
    g_left = g;
    multiply(-1.0, q_, x, f_left);
    axpy(-kEpsilon, x, f_left);
    multiply_transposed(-1.0, c_, w, f_left);
    multiply(-1.0, c_, x, g_left);
    axpy(kDelta, w, g_left);
  }
  f = std::move(x);
  g = std::move(w);
}

// The blocks of the inverse are that of Q + C'C/δ, and minus that of CQ⁻¹C' + δ.
void ActiveSet::look_for_null_vectors() {
  singular_ = reaches(1.0 / kEpsilon, q_.rows, [&](Vector& f) {
    Vector g(c_.rows, 0.0);
    solve_regularized(f, g);
  });
  dependent_ = c_.rows > c_.cols || reaches(1.0 / kDelta, c_.rows, [&](Vector& g) {
                 Vector f(q_.rows, 0.0);
                 solve_regularized(f, g);
               });
}

// g + δ times the duals for g alone has no part along the null vectors of C', and what else it had.
void ActiveSet::remove_null_vectors(Vector& g) const {
  Vector f(q_.rows, 0.0);
  Vector dual = g;
  solve_regularized(f, dual);
  axpy(kDelta, dual, g);
}

void ActiveSet::correct(const Vector& f, Vector g, Vector& x, Vector& w) const {
  constexpr int most_steps = 50;
  constexpr double close = 1e-15;
  Vector f_scaled = f;
  for (double& v : f_scaled) v *= cost_;
  for (std::size_t i = 0; i < w.size(); ++i) {
    g[i] *= row_[i];
    w[i] *= cost_ / row_[i];
  }
  Vector best_x = x;
  Vector best_w = w;
  double best = std::numeric_limits<double>::infinity();
  const double wanted = close * std::max(largest(f_scaled), largest(g));
  for (int i = 0; i <= most_steps; ++i) {
    Vector f_left = f_scaled;
    Vector g_left = g;
    multiply(-1.0, q_, x, f_left);
    multiply_transposed(-1.0, c_, w, f_left);
    multiply(-1.0, c_, x, g_left);
    if (dependent_) remove_null_vectors(g_left);
    const double left = std::max(largest(f_left), largest(g_left));
    const bool stalls = i > 2 && !(left < .7 * best);
    if (left < best) {
      best = left;
      best_x = x;
      best_w = w;
    }
    if (left <= wanted || stalls || i == most_steps) break;
    factor_.solve(f_left, g_left);
    axpy(1.0, f_left, x);
    axpy(1.0, g_left, w);
  }
  x = std::move(best_x);
  w = std::move(best_w);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= row_[i] / cost_;
}

}  // namespace stillpoint::detail
