#include "optim/qp/solve_instance.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>

#include "optim/qp/barrier.h"
#include "optim/qp/homogeneous.h"
#include "optim/qp/polish.h"
#include "optim/qp/row_space.h"
#include "optim/qp/scaled.h"
#include "optim/qp/scales.h"
#include "optim/qp/whitened.h"

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

// The part of b that Ax cannot reach. Where rows are dependent, those of `independent()` are orthonormal.
Vector unreachable(const Instance& program, const Vector& reduced, const RowSpace& rows) {
  if (!rows.dependent()) return Vector(program.b.size(), 0.0);
  Vector x(program.q.rows, 0.0);
  multiply_transposed(1.0, rows.independent(), reduced, x);
  Vector left = program.b;
  multiply(-1.0, program.a, x, left);
  return left;
}

// `finish` takes an outcome to what is returned. Where an iterate within the tolerance shows no active set
// that fits, its slacks may be too small for the tolerance to tell them from zero. A smaller one then may.
template <class Form>
Outcome solve_as(const Form& form, const InstanceOptions& options, bool polish_early,
                 const std::function<void(Outcome&, Patience)>& finish) {
  Outcome early;
  const auto polished = [&](const Outcome& iterate) {
    if (!polish_early) return false;
    early = iterate;
    form.undo(early);
    finish(early, Patience::Early);
    return early.status == ProgramStatus::Optimal;
  };
  constexpr double smaller = 1e-4;
  InstanceOptions own = options;
  for (bool again = false;; again = true) {
    Outcome outcome = solve_homogeneous(form.system(), form.p(), form.d(), own, polished);
    if (early.status == ProgramStatus::Optimal) return early;
    const bool within = outcome.status == ProgramStatus::Optimal;
    form.undo(outcome);
    finish(outcome, Patience::Last);
    if (again || !within || outcome.status != ProgramStatus::Inaccurate) return outcome;
    polish_early = false;
    own.tolerance *= smaller;
  }
}

// The Cholesky factor of Q if it is plainly definite, else null.
std::shared_ptr<const Matrix> definite_factor(const Matrix& q, double plainly) {
  auto factor = std::make_shared<Matrix>(q);
  return plainly_definite(*factor, plainly) ? factor : nullptr;
}

// Whether what b is beyond the reach of A is nothing beside the terms of these rows.
bool left_is_rounding(const Instance& program, const Scales& scales, const Vector& left, double tolerance) {
  Point nowhere{Vector(program.q.rows, 0.0), Vector(program.a.rows, 0.0), Vector(program.g.rows, 0.0), {}};
  const Vector size = scales.sizes(program, nowhere).a;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (std::abs(left[i]) > tolerance * size[i]) return false;
  }
  return true;
}

// The program with independent rows in the place of A's; nothing if it has none.
std::optional<Instance> with_independent_rows(const Instance& program, const RowSpace& equalities) {
  if (program.a.rows == 0) return std::nullopt;
  std::optional<Instance> independent = program;
  independent->a = equalities.independent();
  independent->b = equalities.reduced(program.b);
  return independent;
}

// With the certificate that equations contradict each other, by what is left of their sides.
Outcome contradiction(const Instance& program, const Vector& left) {
  Outcome outcome = no_point(program, ProgramStatus::Infeasible);
  for (std::size_t i = 0; i < left.size(); ++i) outcome.point.y[i] = -left[i] / dot(left, left);
  return outcome;
}

void keep_rows(const Whitened& form, const RowSpace& equalities, QuadraticPart& q) {
  q.rows = form.rows();
  const auto k = static_cast<std::int64_t>(equalities.size().size());
  for (std::int64_t i = 0; i < q.rows->columns.cols; ++i)
    q.length.push_back(form.length(i) * (i < k ? equalities.size()[i] : 1.0));
}

}  // namespace

Outcome solve_instance(const Instance& program, const InstanceOptions& options, double mu,
                       const Outcome* start) {
  if (!all_finite(program)) return no_point(program, ProgramStatus::NotFinite);
  const std::shared_ptr<const Matrix> factor = definite_factor(program.q, options.definite);
  if (factor == nullptr && !convex(program.q, options.negative))
    return no_point(program, ProgramStatus::NotConvex);
  const Scales scales(program, factor.get());
  if (start != nullptr) {
    Outcome again = *start;
    polish(program, {.factor = factor}, scales, options, Patience::Early, again);
    if (again.status == ProgramStatus::Optimal && is_unique(again, factor != nullptr)) return again;
  }
  const RowSpace equalities(program.a);
  const std::optional<Instance> with_independent = with_independent_rows(program, equalities);
  const Instance& independent = with_independent ? *with_independent : program;
  const Vector left = unreachable(program, independent.b, equalities);
  constexpr double consistent = 10.0;  // in tolerances
  if (!left_is_rounding(program, scales, left, consistent * options.tolerance))
    return contradiction(program, left);
  const bool inside = mu > 0.0 && program.g.rows > 0;
  QuadraticPart q{.factor = factor};
  const auto finish = [&](Outcome& outcome, Patience patience) {
    outcome.point.y = equalities.widened(outcome.point.y);
    const ProgramStatus found = outcome.status;
    if (found == ProgramStatus::Infeasible || found == ProgramStatus::Unbounded) {
      outcome.error = no_measure();
      return;
    }
    if (inside) {
      follow_barrier(program, factor, scales, options, mu, outcome);
      return;
    }
    // An iterate that came near, too, may show the active set.
    outcome.error = measure(program, outcome.point, scales.sizes(program, outcome.point));
    polish(program, q, scales, options, patience, outcome);
    if (outcome.status == ProgramStatus::Inaccurate && found == ProgramStatus::IterationLimit)
      outcome.status = found;
  };
  if (factor == nullptr) return solve_as(Scaled(independent), options, !inside, finish);
  const Whitened form(independent, *factor);
  if (!equalities.dependent()) keep_rows(form, equalities, q);
  return solve_as(form, options, !inside, finish);
}

}  // namespace stillpoint::detail
