#include "optim/qp/polish.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

namespace stillpoint::detail {
namespace {

// The equations of active rows.
struct DenseSet {
  Rows c;
  std::shared_ptr<const EqualityKkt> kkt;

  bool dependent() const { return kkt->dependent(); }
  bool singular() const { return kkt->singular(); }
};

Vector on_equalities(const Vector& of_a, const Vector& of_g, const ActiveRows& active) {
  Vector all = of_a;
  for (const std::int64_t i : active) all.push_back(of_g[i]);
  return all;
}

// What is left of the two kinds of equations. Their units differ: in one the rounding may be far larger than
// all numbers of the other.
struct Left {
  double f = std::numeric_limits<double>::infinity();
  double g = std::numeric_limits<double>::infinity();

  bool is_better_than(const Left& other) const {
    return (f < other.f / 2 && g <= 2 * other.g) || (g < other.g / 2 && f <= 2 * other.f);
  }
};

Point on_active_set(const Instance& program, const ActiveRows& active, const DenseSet& set, const Point& from,
                    Effort effort) {
  constexpr double close = 1e-15;
  const int most_steps = effort == Effort::Rough ? 1 : 4;
  // The first step from an iterate always counts.
  const int first_to_judge = effort == Effort::Refine ? 1 : 2;
  EqualityKkt::Sides right{program.p, on_equalities(program.b, program.h, active)};
  for (double& v : right.f) v = -v;
  Vector x = from.x;
  Vector w = on_equalities(from.y, from.z, active);
  Vector best_x = x;
  Vector best_w = w;
  Left best;
  for (int step = 0; step <= most_steps; ++step) {
    if (effort == Effort::Rough && step == most_steps) {
      best_x = x;
      best_w = w;
      break;
    }
    const EqualityKkt::Sides left = left_of(right, program.q, set.c, x, w);
    const Left now{largest(left.f), largest(left.g)};
    if (step >= first_to_judge && !now.is_better_than(best)) break;
    best = now;
    best_x = x;
    best_w = w;
    const bool done = now.f <= close * largest(right.f) && now.g <= close * largest(right.g);
    if (done || step == most_steps) break;
    set.kkt->add_solution(left.f, left.g, x, w);
  }
  const std::int64_t k = program.a.rows;
  Point point{best_x, {best_w.begin(), best_w.begin() + k}, Vector(program.g.rows, 0.0), program.h};
  multiply(-1.0, program.g, best_x, point.s);
  for (std::size_t i = 0; i < active.size(); ++i)
    point.z[active[i]] = best_w[k + static_cast<std::int64_t>(i)];
  return point;
}

std::vector<std::int64_t> after_equalities(const Instance& program, const ActiveRows& active) {
  std::vector<std::int64_t> rows(program.a.rows);
  std::iota(rows.begin(), rows.end(), 0);
  for (const std::int64_t i : active) rows.push_back(program.a.rows + i);
  return rows;
}

}  // namespace

Rows active_rows(const Instance& program, const std::vector<std::int64_t>& active) {
  Rows rows;
  rows.reserve(program.a.rows + active.size());
  for (std::int64_t i = 0; i < program.a.rows; ++i) rows.push_back(program.a[i]);
  for (const std::int64_t i : active) rows.push_back(program.g[i]);
  return rows;
}

void polish(const Instance& program, const QuadraticPart& q, const Scales& scales,
            const InstanceOptions& options, Patience patience, Outcome& outcome) {
  const bool take_dependent = patience == Patience::Last;
  const auto make = [&](const ActiveRows& active) -> std::shared_ptr<const DenseSet> {
    auto set = std::make_shared<DenseSet>(DenseSet{active_rows(program, active), nullptr});
    if (q.rows != nullptr)
      set->kkt =
          std::make_shared<const EqualityKkt>(q.factor, *q.rows, q.length, after_equalities(program, active));
    if (q.rows == nullptr || (set->kkt->refused() && take_dependent))
      set->kkt =
          std::make_shared<const EqualityKkt>(program.q, q.factor, set->c, options.singular, take_dependent);
    return set->kkt->refused() ? nullptr : set;
  };
  const auto solve = [&](const DenseSet& set, const ActiveRows& rows, const Point& from, Effort effort) {
    return on_active_set(program, rows, set, from, effort);
  };
  const auto set = search_active_set(program, scales, options, patience, outcome, make, solve);
  if (set != nullptr) outcome.kkt = set->kkt;
}

}  // namespace stillpoint::detail
