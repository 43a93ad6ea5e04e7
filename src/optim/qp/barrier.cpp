#include "optim/qp/barrier.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace stillpoint::detail {
namespace {

std::variant<ComplementSystem, NormalSystem> system_of(const Instance& program,
                                                       const std::shared_ptr<const Matrix>& factor) {
  if (factor == nullptr) return NormalSystem(program.q, stacked_rows(program), program.a.rows);
  Matrix columns = transposed(stacked_rows(program));
  solve_transposed(*factor, columns);
  return ComplementSystem(whitened_rows(std::move(columns)), program.a.rows);
}

// z and s from w, without cancellation.
void set_row(Point& point, std::size_t i, double w, double mu) {
  const double larger = (std::abs(w) + std::sqrt(w * w + 4 * mu)) / 2;
  point.z[i] = w > 0 ? larger : mu / larger;
  point.s[i] = w > 0 ? mu / larger : larger;
}

struct Residual {
  Vector dual, primal;  // Qx + p + G'z + A'y; Ax − b, and below it Gx + s − h

  Residual(const Instance& program, const Point& point) : dual(program.p) {
    multiply(1.0, program.q, point.x, dual);
    multiply_transposed(1.0, program.a, point.y, dual);
    multiply_transposed(1.0, program.g, point.z, dual);
    Vector of_a = program.b;
    Vector of_g = program.h;
    for (Vector* side : {&of_a, &of_g}) {
      for (double& v : *side) v = -v;
    }
    multiply(1.0, program.a, point.x, of_a);
    multiply(1.0, program.g, point.x, of_g);
    axpy(1.0, point.s, of_g);
    primal = std::move(of_a);
    primal.insert(primal.end(), of_g.begin(), of_g.end());
  }
  double norm() const { return std::sqrt(dot(dual, dual) + dot(primal, primal)); }
};

// Whether Q or a row changes along each direction.
bool determines(const Instance& program, double singular) {
  Matrix rows = stacked_rows(program);
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    const double length = std::sqrt(dot(rows[i], rows[i], rows.cols));
    for (std::int64_t j = 0; length > 0.0 && j < rows.cols; ++j) rows[i][j] /= length;
  }
  const double size = max_diagonal(program.q);
  Matrix seen = program.q;
  add_gram(size > 0.0 ? size : 1.0, rows, seen);
  return detail::factorize(seen, singular * max_diagonal(seen));
}

// Whether the slacks are more than what is left of the residual: where no point lies inside, both vanish
// together.
bool inside(const Point& point, const Residual& residual) {
  constexpr double part = 1e-3;
  for (std::size_t i = 0; i < point.s.size(); ++i) {
    if (std::abs(residual.primal[point.y.size() + i]) > part * point.s[i]) return false;
  }
  return true;
}

Point moved(const Point& from, const Vector& dx, const Vector& dl, double length, double mu) {
  Point to = from;
  axpy(length, dx, to.x);
  const std::size_t k = from.y.size();
  for (std::size_t i = 0; i < k; ++i) to.y[i] += length * dl[i];
  for (std::size_t i = 0; i < from.z.size(); ++i) {
    const double of_w = dl[k + i] * (1.0 + from.s[i] / from.z[i]);
    set_row(to, i, from.z[i] - from.s[i] + length * of_w, mu);
  }
  return to;
}

}  // namespace

BarrierKkt::BarrierKkt(const Instance& program, std::shared_ptr<const Matrix> factor)
    : factor_(std::move(factor)), system_(system_of(program, factor_)) {}

bool BarrierKkt::factorize(const Point& point) {
  Vector w(point.y.size(), 0.0);
  for (std::size_t i = 0; i < point.z.size(); ++i) w.push_back(point.s[i] / point.z[i]);
  return std::visit([&](auto& system) { return system.factorize(w); }, system_);
}

void BarrierKkt::solve(Vector f, const Vector& g, Vector& x, Vector& l) const {
  if (factor_ != nullptr) solve_transposed(*factor_, f);
  std::visit([&](const auto& system) { system.solve(f, g, x, l); }, system_);
  if (factor_ != nullptr) detail::solve(*factor_, x);
}

void follow_barrier(const Instance& program, const std::shared_ptr<const Matrix>& factor,
                    const Scales& scales, const InstanceOptions& options, double mu, Outcome& outcome) {
  constexpr double shortest = 1e-10;
  auto kkt = std::make_shared<BarrierKkt>(program, factor);
  Point point = outcome.point;
  for (std::size_t i = 0; i < point.z.size(); ++i) set_row(point, i, point.z[i] - point.s[i], mu);
  Residual residual(program, point);
  std::int64_t steps = 0;
  double last_step = 0.0;
  bool factorized = kkt->factorize(point);
  // To the last digit: derivatives are as exact as the point.
  for (; factorized && steps < options.max_iterations; ++steps) {
    Vector f = residual.dual;
    Vector g = residual.primal;
    for (Vector* v : {&f, &g}) {
      for (double& value : *v) value = -value;
    }
    Vector dx;
    Vector dl;
    kkt->solve(f, g, dx, dl);
    const double before = residual.norm();
    double length = 1.0;
    Point next = moved(point, dx, dl, length, mu);
    Residual left(program, next);
    while (!(left.norm() < before) && length > shortest) {
      length /= 2;
      next = moved(point, dx, dl, length, mu);
      left = Residual(program, next);
    }
    if (!(left.norm() < before)) break;
    last_step = length * largest(dx);
    point = std::move(next);
    residual = std::move(left);
    factorized = kkt->factorize(point);
  }
  outcome.iterations += steps;
  const Scales::Sizes sizes = scales.sizes(program, point);
  outcome.error = measure(program, point, sizes);
  for (std::size_t i = 0; i < point.s.size(); ++i) {
    const double missed = std::abs(residual.primal[point.y.size() + i]) / (sizes.g[i] + point.s[i]);
    outcome.error.primal = std::max(outcome.error.primal, missed);
  }
  // A minimum that does not exist is run after with steps as long as x.
  const bool settled =
      last_step <= std::sqrt(options.tolerance) * std::max(largest(point.x), scales.nearest());
  const bool there = factorized && settled &&
                     std::max(outcome.error.primal, outcome.error.dual) <= options.tolerance &&
                     inside(point, residual);
  outcome.status = there                             ? optim::ProgramStatus::Optimal
                   : steps == options.max_iterations ? optim::ProgramStatus::IterationLimit
                                                     : optim::ProgramStatus::Inaccurate;
  outcome.point = std::move(point);
  outcome.active.clear();
  outcome.weakly_active = outcome.dual_not_unique = false;
  outcome.primal_not_unique = factor == nullptr && !determines(program, options.singular);
  outcome.kkt = nullptr;
  outcome.barrier = there ? std::move(kkt) : nullptr;
}

}  // namespace stillpoint::detail
