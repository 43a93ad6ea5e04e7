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
  for (std::size_t i = 0; i < active.size(); ++i)
    point.z[active[i]] = best_w[program.a.rows + static_cast<std::int64_t>(i)];
  return point;
}

// What counts as zero of each row's dual and slack.
struct Zero {
  Vector dual, slack;

  Zero(const Instance& program, const Scales::Sizes& sizes) : dual(program.g.rows), slack(sizes.g) {
    constexpr double zero = 1e-9;
    for (double& v : slack) v *= zero;
    for (std::int64_t i = 0; i < program.g.rows; ++i) {
      double least = std::numeric_limits<double>::infinity();
      for (std::int64_t j = 0; j < program.g.cols; ++j) {
        const double entry = std::abs(program.g[i][j]);
        if (entry * least > sizes.slope[j]) least = sizes.slope[j] / entry;
      }
      dual[i] = zero * least;
    }
  }
};

struct Correction {
  double size;  // of what is wrong, in units of what counts as zero
  std::int64_t row;
};

// Rows that the point on an active set shows to belong elsewhere: violated, or with a negative dual.
// Dependent rows may contradict each other; of those with a slack, the one of smallest dual before goes.
std::vector<Correction> corrections(const Point& point, const Point& before, const std::vector<bool>& active,
                                    const Zero& zero) {
  std::vector<Correction> found;
  Correction least{std::numeric_limits<double>::infinity(), -1};
  for (std::size_t i = 0; i < point.z.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const double slack = point.s[i] / zero.slack[i];
    const double dual = before.z[i] / zero.dual[i];
    if (active[i] && slack > 1.0 && dual < least.size) least = {dual, row};
    const double wrong = active[i] ? -point.z[i] / zero.dual[i] : -slack;
    if (wrong > 1.0) found.push_back({wrong, row});
  }
  if (least.row >= 0) return {least};
  return found;
}

// The guess, of which no more rows are kept than there are unknowns: those whose duals are largest beside
// their slacks. Of a corner where more rows meet, the others are found again.
std::vector<bool> guessed(const Instance& program, const Outcome& outcome) {
  Rows rows = outcome.active;
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(0, program.q.rows - program.a.rows));
  if (rows.size() > most) {
    Vector pressed;
    for (std::int64_t i = 0; i < program.g.rows; ++i)
      pressed.push_back(outcome.point.z[i] * dot(program.g[i], program.g[i], program.g.cols) /
                        outcome.point.s[i]);
    std::stable_sort(rows.begin(), rows.end(),
                     [&](std::int64_t i, std::int64_t j) { return pressed[i] > pressed[j]; });
    rows.resize(most);
  }
  std::vector<bool> active(program.g.rows, false);
  for (const std::int64_t i : rows) active[i] = true;
  return active;
}

// Rows with neither dual nor slack are active, too; z and s get exact zeros.
Rows settled(Point& point, const std::vector<bool>& active, const Zero& zero, bool& weak) {
  Rows all;
  for (std::size_t i = 0; i < point.z.size(); ++i) {
    point.z[i] = std::max(0.0, point.z[i]);
    point.s[i] = std::max(0.0, point.s[i]);
    if (!active[i] && point.s[i] > zero.slack[i]) continue;
    point.s[i] = 0.0;
    weak = weak || point.z[i] <= zero.dual[i];
    all.push_back(static_cast<std::int64_t>(i));
  }
  return all;
}

Rows numbers_of(const std::vector<bool>& active) {
  Rows rows;
  for (std::size_t i = 0; i < active.size(); ++i) {
    if (active[i]) rows.push_back(static_cast<std::int64_t>(i));
  }
  return rows;
}

}  // namespace

void polish(const Instance& program, const std::shared_ptr<const Matrix>& factor, const Scales& scales,
            const InstanceOptions& options, Patience patience, Outcome& outcome) {
  constexpr int at_once = 10;  // tries that correct all rows; then one by one, which does not cycle as easily
  const bool early = patience == Patience::Early;
  const int most_tries = early ? 5 : 40;
  outcome.status = ProgramStatus::Inaccurate;
  std::vector<bool> active = guessed(program, outcome);
  for (int tries = 0; tries < most_tries; ++tries) {
    const Rows rows = numbers_of(active);
    const Matrix c = rows_of(program, rows);
    auto kkt = std::make_shared<const EqualityKkt>(program.q, factor, c, options.singular, !early);
    if (kkt->refused()) return;
    Point point = on_active_set(program, rows, c, *kkt, outcome.point);
    const Scales::Sizes sizes = scales.sizes(program, point);
    const Zero zero(program, sizes);
    std::vector<Correction> wrong = corrections(point, outcome.point, active, zero);
    if (!wrong.empty()) {
      const auto worst = std::max_element(wrong.begin(), wrong.end(),
                                          [](const auto& a, const auto& b) { return a.size < b.size; });
      if (tries >= at_once) wrong = {*worst};
      for (const Correction& correction : wrong) active[correction.row] = !active[correction.row];
      continue;
    }
    Rows all = settled(point, active, zero, outcome.weakly_active);
    const Measure error = measure(program, point, sizes);
    if (!(error.worst() <= options.tolerance)) return;
    if (all != rows)
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
