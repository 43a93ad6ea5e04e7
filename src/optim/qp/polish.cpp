#include "optim/qp/polish.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

namespace stillpoint::detail {
namespace {

using optim::ProgramStatus;
using Rows = std::vector<std::int64_t>;

// What counts as zero, beside 1 and the largest number of its kind.
constexpr double kZero = 1e-9;

Matrix rows_of(const Instance& program, const Rows& active) {
  Matrix c(program.a.rows + static_cast<std::int64_t>(active.size()), program.q.rows);
  double* to = std::copy(program.a.data.begin(), program.a.data.end(), c.data.data());
  for (const std::int64_t i : active) to = std::copy_n(program.g[i], program.g.cols, to);
  return c;
}

Point on_active_set(const Instance& program, const Rows& active, const Matrix& c, const EqualityKkt& kkt,
                    const Point& from) {
  constexpr int most_steps = 4;
  constexpr double close = 1e-15;
  Vector x = from.x;
  Vector w = from.y;
  Vector d = program.b;
  for (const std::int64_t i : active) {
    w.push_back(from.z[i]);
    d.push_back(program.h[i]);
  }
  Vector best_x = x;
  Vector best_w = w;
  double best = std::numeric_limits<double>::infinity();
  for (int step = 0; step <= most_steps; ++step) {
    Vector f = program.p;
    for (double& v : f) v = -v;
    multiply(-1.0, program.q, x, f);
    multiply_transposed(-1.0, c, w, f);
    Vector g = d;
    multiply(-1.0, c, x, g);
    const double left = std::max(largest(f), largest(g));
    const bool stalls = step > 1 && !(left < best / 2);
    if (left < best) {
      best = left;
      best_x = x;
      best_w = w;
    }
    if (left <= close * (largest(program.p) + largest(d)) || stalls || step == most_steps) break;
    kkt.add_solution(f, g, x, w);
  }
  Point point{
      best_x, {best_w.begin(), best_w.begin() + program.a.rows}, Vector(program.g.rows, 0.0), program.h};
  multiply(-1.0, program.g, best_x, point.s);
  for (std::size_t i = 0; i < active.size(); ++i) {
    point.z[active[i]] = best_w[program.a.rows + static_cast<std::int64_t>(i)];
    point.s[active[i]] = 0.0;
  }
  return point;
}

struct Zero {
  double dual, slack;
};

Zero zero_of(const Instance& program, const Point& point) {
  return {kZero * (1.0 + std::max(largest(program.p), largest(point.z))),
          kZero * (1.0 + std::max(largest(program.h), largest(point.x)))};
}

// The active set with what the point on it shows to be wrong put right; the same if nothing is.
Rows corrected(const Point& point, const Rows& active, const Zero& zero) {
  Rows next;
  for (std::size_t i = 0, a = 0; i < point.z.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const bool was = a < active.size() && active[a] == row;
    if (was) ++a;
    if (was ? point.z[i] >= -zero.dual : point.s[i] < -zero.slack) next.push_back(row);
  }
  return next;
}

// Rows with neither dual nor slack are active, too; z and s get exact zeros.
Rows settled(Point& point, const Rows& active, const Zero& zero, bool& weak) {
  Rows all;
  for (std::size_t i = 0, a = 0; i < point.z.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const bool was = a < active.size() && active[a] == row;
    if (was) ++a;
    point.z[i] = std::max(0.0, point.z[i]);
    point.s[i] = std::max(0.0, point.s[i]);
    const bool touches = point.s[i] <= zero.slack;
    if (!touches) continue;
    point.s[i] = 0.0;
    weak = weak || point.z[i] <= zero.dual;
    all.push_back(row);
  }
  return all;
}

}  // namespace

void polish(const Instance& program, const std::shared_ptr<const Matrix>& factor,
            const InstanceOptions& options, Outcome& outcome) {
  constexpr int most_corrections = 20;
  outcome.status = ProgramStatus::Inaccurate;
  Rows active = outcome.active;
  for (int tries = 0; tries <= most_corrections; ++tries) {
    const Matrix c = rows_of(program, active);
    auto kkt = std::make_shared<const EqualityKkt>(program.q, factor, c, options.singular);
    Point point = on_active_set(program, active, c, *kkt, outcome.point);
    const Zero zero = zero_of(program, point);
    Rows next = corrected(point, active, zero);
    if (next != active) {
      active = std::move(next);
      continue;
    }
    Rows all = settled(point, active, zero, outcome.weakly_active);
    const Measure error = measure(program, point);
    if (!(error.worst() <= options.tolerance)) return;
    if (all != active)
      kkt = std::make_shared<const EqualityKkt>(program.q, factor, rows_of(program, all), options.singular);
    outcome.status = ProgramStatus::Optimal;
    outcome.point = std::move(point);
    outcome.error = error;
    outcome.dual_not_unique = kkt->dependent();
    outcome.primal_not_unique = kkt->singular();
    outcome.active = std::move(all);
    outcome.kkt = std::move(kkt);
    return;
  }
}

}  // namespace stillpoint::detail
