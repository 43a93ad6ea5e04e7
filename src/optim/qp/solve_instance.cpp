#include "optim/qp/solve_instance.h"

#include <algorithm>
#include <cmath>

#include "optim/qp/homogeneous.h"
#include "optim/qp/polish.h"
#include "optim/qp/row_space.h"

namespace stillpoint::detail {
namespace {

using optim::ProgramStatus;

bool all_finite(const Vector& v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); });
}

bool all_finite(const Instance& program) {
  return all_finite(program.q.data) && all_finite(program.a.data) && all_finite(program.g.data) &&
         all_finite(program.p) && all_finite(program.b) && all_finite(program.h);
}

bool convex(const Matrix& q, double rounding) {
  const double slight = rounding * largest(q);
  if (slight == 0.0) return true;
  Matrix shifted = q;
  for (std::int64_t i = 0; i < q.rows; ++i) shifted[i][i] += slight;
  return factorize(shifted, 0.0);
}

// The power of two next to 1/x, so that scaling rounds nothing; 1 for zero.
double inverse_size(double x) { return x > 0.0 ? std::exp2(-std::round(std::log2(x))) : 1.0; }

// The part of b that Ax cannot reach. Where rows are dependent, those of `independent()` are orthonormal.
Vector unreachable(const Instance& program, const Vector& reduced, const RowSpace& rows) {
  if (!rows.dependent()) return Vector(program.b.size(), 0.0);
  Vector x(program.q.rows, 0.0);
  multiply_transposed(1.0, rows.independent(), reduced, x);
  Vector left = program.b;
  multiply(-1.0, program.a, x, left);
  return left;
}

// A program whose numbers have a size of about 1, and the way back.
struct Scaled {
  Instance program;
  double cost = 1.0;
  Vector row = {};

  Scaled(const Instance& from, const RowSpace& equalities, const Vector& b) : program(from) {
    cost = inverse_size(std::max(largest(from.q), largest(from.p)));
    for (double& v : program.q.data) v *= cost;
    for (double& v : program.p) v *= cost;
    program.a = equalities.independent();
    program.b = b;
    for (std::int64_t i = 0; i < from.g.rows; ++i) {
      row.push_back(inverse_size(std::sqrt(dot(from.g[i], from.g[i], from.g.cols))));
      for (std::int64_t j = 0; j < from.g.cols; ++j) program.g[i][j] *= row[i];
      program.h[i] *= row[i];
    }
  }

  // Duals of a solution are in units of the cost; a certificate has none, and a ray is in its inverse.
  void undo(Outcome& outcome, const RowSpace& equalities) const {
    const double unit = outcome.status == ProgramStatus::Infeasible ? 1.0 : cost;
    Point& point = outcome.point;
    point.y = equalities.widened(point.y);
    for (double& v : point.y) v /= unit;
    for (std::size_t i = 0; i < row.size(); ++i) {
      point.z[i] *= row[i] / unit;
      point.s[i] /= row[i];
    }
    if (outcome.status == ProgramStatus::Unbounded) {
      for (double& v : point.x) v *= cost;
    }
  }
};

Outcome nothing(const Instance& program, ProgramStatus status) {
  Outcome outcome;
  outcome.status = status;
  outcome.point = {Vector(program.q.rows, 0.0), Vector(program.a.rows, 0.0), Vector(program.g.rows, 0.0),
                   Vector(program.g.rows, 0.0)};
  const double none = std::nan("");
  outcome.error = {none, none, none};
  return outcome;
}

}  // namespace

Outcome solve_instance(const Instance& program, const InstanceOptions& options) {
  if (!all_finite(program)) return nothing(program, ProgramStatus::NotFinite);
  if (!convex(program.q, options.rounding)) return nothing(program, ProgramStatus::NotConvex);
  const RowSpace equalities(program.a);
  const Vector b = equalities.reduced(program.b);
  const Vector left = unreachable(program, b, equalities);
  constexpr double consistent = 10.0;  // in tolerances
  if (largest(left) > consistent * options.tolerance * largest(program.b)) {
    Outcome outcome = nothing(program, ProgramStatus::Infeasible);
    for (std::size_t i = 0; i < left.size(); ++i) outcome.point.y[i] = -left[i] / dot(left, left);
    return outcome;
  }
  const Scaled scaled(program, equalities, b);
  Outcome outcome = solve_homogeneous(scaled.program, options.tolerance, options.max_iterations);
  scaled.undo(outcome, equalities);
  if (outcome.status == ProgramStatus::Infeasible || outcome.status == ProgramStatus::Unbounded)
    return outcome;
  // An iterate that came near, too, may show the active set.
  const ProgramStatus interior = outcome.status;
  outcome.error = measure(program, outcome.point);
  polish(program, options.tolerance, outcome);
  if (outcome.status == ProgramStatus::Inaccurate && interior == ProgramStatus::IterationLimit)
    outcome.status = interior;
  return outcome;
}

}  // namespace stillpoint::detail
