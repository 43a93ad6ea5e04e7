#include "optim/sparse/sparse_polish.h"

namespace stillpoint::detail {
namespace {

Point on_sparse_set(const SparseInstance& program, const ActiveSet& set, const Point& from) {
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
  for (std::size_t i = 0; i < set.active().size(); ++i)
    point.z[set.active()[i]] = w[k + static_cast<std::int64_t>(i)];
  return point;
}

}  // namespace

std::shared_ptr<const ActiveSet> polish(const SparseInstance& program, const Scales& scales,
                                        const InstanceOptions& options, Patience patience, Outcome& outcome) {
  const auto make = [&](const ActiveRows& rows) -> std::shared_ptr<const ActiveSet> {
    auto set = std::make_shared<const ActiveSet>(program, rows);
    const bool refused = patience == Patience::Early && set->dependent();
    return set->factorized() && !refused ? set : nullptr;
  };
  const auto solve = [&](const ActiveSet& set, const ActiveRows& /*rows*/, const Point& from,
                         Effort /*effort*/) { return on_sparse_set(program, set, from); };
  return search_active_set(program, scales, options, patience, outcome, make, solve);
}

}  // namespace stillpoint::detail
