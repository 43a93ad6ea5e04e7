#include "optim/sparse/sparse_polish.h"

#include <algorithm>
#include <utility>

namespace stillpoint::detail {
namespace {

using ActiveRows = std::vector<std::int64_t>;

// What counts as zero, beside 1 and the largest number of its kind.
constexpr double kNearZero = 1e-9;

Point on_active_set(const SparseInstance& program, const ActiveSet& set, const Point& from) {
  Vector x = from.x;
  Vector w = from.y;
  Vector d = program.b;
  for (const std::int64_t i : set.active()) {
    w.push_back(from.z[i]);
    d.push_back(program.h[i]);
  }
  Vector f = program.p;
  for (double& v : f) v = -v;
  set.correct(f, d, x, w);
  const std::int64_t k = program.a.rows;
  Point point{x, {w.begin(), w.begin() + k}, Vector(program.g.rows, 0.0), program.h};
  multiply(-1.0, program.g, x, point.s);
  for (std::size_t i = 0; i < set.active().size(); ++i) {
    point.z[set.active()[i]] = w[k + static_cast<std::int64_t>(i)];
    point.s[set.active()[i]] = 0.0;
  }
  return point;
}

struct NearZero {
  double dual, slack;

  NearZero(const SparseInstance& program, const Point& point)
      : dual(kNearZero * (1.0 + std::max(largest(program.p), largest(point.z)))),
        slack(kNearZero * (1.0 + std::max(largest(program.h), largest(point.x)))) {}
};

std::vector<bool> marks(const ActiveRows& active, std::size_t rows) {
  std::vector<bool> is_active(rows, false);
  for (const std::int64_t i : active) is_active[i] = true;
  return is_active;
}

// The active set with what the point on it shows to be wrong put right; the same if nothing is.
ActiveRows corrected(const Point& point, const ActiveRows& active, const NearZero& zero) {
  const std::vector<bool> was = marks(active, point.z.size());
  ActiveRows next;
  for (std::size_t i = 0; i < was.size(); ++i) {
    if (was[i] ? point.z[i] >= -zero.dual : point.s[i] < -zero.slack)
      next.push_back(static_cast<std::int64_t>(i));
  }
  return next;
}

// Rows with neither dual nor slack are active, too; z and s get exact zeros.
ActiveRows settled(Point& point, const NearZero& zero, bool& weak) {
  ActiveRows all;
  for (std::size_t i = 0; i < point.z.size(); ++i) {
    point.z[i] = std::max(0.0, point.z[i]);
    point.s[i] = std::max(0.0, point.s[i]);
    if (point.s[i] > zero.slack) continue;
    point.s[i] = 0.0;
    weak = weak || point.z[i] <= zero.dual;
    all.push_back(static_cast<std::int64_t>(i));
  }
  return all;
}

}  // namespace

std::shared_ptr<const ActiveSet> polish(const SparseInstance& program, double tolerance, Outcome& outcome) {
  constexpr int most_corrections = 20;
  outcome.status = optim::ProgramStatus::Inaccurate;
  ActiveRows active = outcome.active;
  for (int tries = 0; tries <= most_corrections; ++tries) {
    auto set = std::make_shared<const ActiveSet>(program, active);
    if (!set->factorized()) return nullptr;
    Point point = on_active_set(program, *set, outcome.point);
    const NearZero zero(program, point);
    ActiveRows next = corrected(point, active, zero);
    if (next != active) {
      active = std::move(next);
      continue;
    }
    bool weak = false;
    ActiveRows all = settled(point, zero, weak);
    const Measure error = measure(program, point);
    if (!(error.worst() <= tolerance)) return nullptr;
    if (all != active) set = std::make_shared<const ActiveSet>(program, all);
    if (!set->factorized()) return nullptr;
    outcome.status = optim::ProgramStatus::Optimal;
    outcome.point = std::move(point);
    outcome.error = error;
    outcome.weakly_active = weak;
    outcome.dual_not_unique = set->dependent();
    outcome.primal_not_unique = set->singular();
    outcome.active = std::move(all);
    return set;
  }
  return nullptr;
}

}  // namespace stillpoint::detail
