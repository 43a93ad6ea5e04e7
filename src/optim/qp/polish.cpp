#include "optim/qp/polish.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

namespace stillpoint::detail {
namespace {

Matrix rows_of(const Instance& program, const ActiveRows& active) {
  Matrix c(program.a.rows + static_cast<std::int64_t>(active.size()), program.q.rows);
  double* to = std::copy(program.a.data.begin(), program.a.data.end(), c.data.data());
  for (const std::int64_t i : active) to = std::copy_n(program.g[i], program.g.cols, to);
  return c;
}

// The equations of active rows.
struct DenseSet {
  Matrix c;
  std::shared_ptr<const EqualityKkt> kkt;

  bool dependent() const { return kkt->dependent(); }
  bool singular() const { return kkt->singular(); }
};

Point on_active_set(const Instance& program, const ActiveRows& active, const DenseSet& set,
                    const Point& from) {
  const Matrix& c = set.c;
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
    set.kkt->add_solution(f, g, x, w);
  }
  Point point{
      best_x, {best_w.begin(), best_w.begin() + program.a.rows}, Vector(program.g.rows, 0.0), program.h};
  multiply(-1.0, program.g, best_x, point.s);
  for (std::size_t i = 0; i < active.size(); ++i)
    point.z[active[i]] = best_w[program.a.rows + static_cast<std::int64_t>(i)];
  return point;
}

}  // namespace

void polish(const Instance& program, const std::shared_ptr<const Matrix>& factor, const Scales& scales,
            const InstanceOptions& options, Patience patience, Outcome& outcome) {
  const bool take_dependent = patience == Patience::Last;
  const auto make = [&](const ActiveRows& rows) -> std::shared_ptr<const DenseSet> {
    DenseSet set{rows_of(program, rows), nullptr};
    set.kkt = std::make_shared<const EqualityKkt>(program.q, factor, set.c, options.singular, take_dependent);
    return set.kkt->refused() ? nullptr : std::make_shared<const DenseSet>(std::move(set));
  };
  const auto solve = [&](const DenseSet& set, const ActiveRows& rows, const Point& from) {
    return on_active_set(program, rows, set, from);
  };
  const auto set = search_active_set(program, scales, options, patience, outcome, make, solve);
  if (set != nullptr) outcome.kkt = set->kkt;
}

}  // namespace stillpoint::detail
