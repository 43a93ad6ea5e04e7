#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "optim/qp/scales.h"

namespace stillpoint::detail {

using ActiveRows = std::vector<std::int64_t>;

/// How much a polish is worth: an early one, before the last iterations, gives up where rows are dependent
/// and after a few corrections.
enum class Patience : std::uint8_t { Early, Last };

/// How exactly a point on an active set is wanted: `Rough` shows which rows are wrong, `Refine` corrects it.
enum class Effort : std::uint8_t { Rough, Refine, Full };

// What counts as zero of each row's dual and slack.
struct Zero {
  Vector dual, slack;

  template <class Program>
  Zero(const Program& program, const Scales::Sizes& sizes) : slack(sizes.g) {
    constexpr double zero = 1e-9;
    for (double& v : slack) v *= zero;
    Vector flat = sizes.slope;
    for (double& v : flat) v = 1.0 / v;
    dual = largest_products(program.g, flat);  // so much of the slope is one unit of a row's dual
    for (double& v : dual) v = zero / v;
  }
};

struct Correction {
  double size;  // of what is wrong, in units of what counts as zero
  std::int64_t row;
};

// Rows that the point on an active set shows to belong elsewhere: violated, or with a negative dual.
// Dependent rows may contradict each other; of those with a slack, the one whose dual was smallest beside its
// slack before goes.
inline std::vector<Correction> corrections(const Point& point, const Point& before,
                                           const std::vector<bool>& active, const Zero& zero) {
  std::vector<Correction> found;
  Correction least{std::numeric_limits<double>::infinity(), -1};
  for (std::size_t i = 0; i < point.z.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const double slack = point.s[i] / zero.slack[i];
    const double pressed = before.z[i] / zero.dual[i] / (before.s[i] / zero.slack[i]);
    if (active[i] && slack > 1.0 && pressed < least.size) least = {pressed, row};
    const double wrong = active[i] ? -point.z[i] / zero.dual[i] : -slack;
    if (wrong > 1.0) found.push_back({wrong, row});
  }
  if (least.row >= 0) return {least};
  return found;
}

// Of a guess with more rows than unknowns, which contradict each other: as many as there are unknowns, of the
// largest duals beside their slacks.
template <class Program>
std::vector<bool> most_pressed(const Program& program, const Point& before, ActiveRows rows) {
  Vector pressed(program.h.size(), 0.0);
  for (const std::int64_t i : rows) {
    for_each_in_row(program.g, i, [&](std::int64_t /*j*/, double entry) { pressed[i] += entry * entry; });
    pressed[i] *= before.z[i] / before.s[i];
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [&](std::int64_t i, std::int64_t j) { return pressed[i] > pressed[j]; });
  rows.resize(std::max<std::int64_t>(0, program.q.rows - program.a.rows));
  std::vector<bool> active(program.h.size(), false);
  for (const std::int64_t i : rows) active[i] = true;
  return active;
}

// Rows with neither dual nor slack are active, too; z and s get exact zeros.
inline ActiveRows settled(Point& point, const std::vector<bool>& active, const Zero& zero, bool& weak) {
  ActiveRows all;
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

// Where a row names one unknown alone, its value is known without rounding.
template <class M>
void put_on_bound(const M& rows, std::int64_t i, double side, Point& point) {
  int entries = 0;
  std::int64_t column = 0;
  double factor = 0.0;
  for_each_in_row(rows, i, [&](std::int64_t j, double entry) {
    if (entry == 0.0) return;
    ++entries;
    column = j;
    factor = entry;
  });
  if (entries == 1) point.x[column] = side / factor;
}

template <class Program>
void put_on_bounds(const Program& program, const ActiveRows& active, Point& point) {
  for (const std::int64_t i : active) put_on_bound(program.g, i, program.h[i], point);
  for (std::int64_t i = 0; i < program.a.rows; ++i) put_on_bound(program.a, i, program.b[i], point);
}

inline ActiveRows numbers_of(const std::vector<bool>& active) {
  ActiveRows rows;
  for (std::size_t i = 0; i < active.size(); ++i) {
    if (active[i]) rows.push_back(static_cast<std::int64_t>(i));
  }
  return rows;
}

// Moves all of these rows into or out of the set, or the worst of them alone.
inline void flip(const std::vector<Correction>& wrong, bool all, std::vector<bool>& active) {
  const auto worst = std::max_element(wrong.begin(), wrong.end(),
                                      [](const auto& a, const auto& b) { return a.size < b.size; });
  for (auto one = all ? wrong.begin() : worst; one != (all ? wrong.end() : worst + 1); ++one)
    active[one->row] = !active[one->row];
}

/// Takes an outcome near a solution to that of its active set, solved exactly: the rows that it names,
/// corrected while a dual is negative or a row is violated. Optimal, with the rows and the flags, and the
/// factorized set is returned, if the result is within the tolerance; else inaccurate, with the point that it
/// had, and null.
///
/// `make(rows)` factorizes the equations of rows, or gives up with null; `solve(set, rows, from, effort)` is
/// the point on them, with the true slacks; `from` is a rough one if it is to be refined.
template <class Program, class Make, class Solve>
auto search_active_set(const Program& program, const Scales& scales, const InstanceOptions& options,
                       Patience patience, Outcome& outcome, Make&& make, Solve&& solve)
    -> decltype(make(ActiveRows())) {
  constexpr int at_once = 10;  // tries that correct all rows; then one by one, which does not cycle as easily
  const int most_tries = patience == Patience::Early ? 5 : 40;
  outcome.status = optim::ProgramStatus::Inaccurate;
  std::vector<bool> active(program.h.size(), false);
  for (const std::int64_t i : outcome.active) active[i] = true;
  for (int tries = 0; tries < most_tries; ++tries) {
    const ActiveRows rows = numbers_of(active);
    auto set = make(rows);
    if (set == nullptr) return nullptr;
    const Effort effort = patience == Patience::Early ? Effort::Rough : Effort::Full;
    Point point = solve(*set, rows, outcome.point, effort);
    const Scales::Sizes sizes = scales.sizes(program, point);
    const Zero zero(program, sizes);
    std::vector<Correction> wrong = corrections(point, outcome.point, active, zero);
    if (wrong.empty() && effort == Effort::Rough) {
      point = solve(*set, rows, point, Effort::Refine);
      wrong = corrections(point, outcome.point, active, zero);
    }
    const bool contradict =
        !wrong.empty() && active[wrong[0].row] && point.s[wrong[0].row] > zero.slack[wrong[0].row];
    if (tries == 0 && contradict &&
        static_cast<std::int64_t>(rows.size()) + program.a.rows > program.q.rows) {
      active = most_pressed(program, outcome.point, rows);
      continue;
    }
    if (!wrong.empty()) {
      flip(wrong, tries < at_once, active);
      continue;
    }
    bool weak = false;
    ActiveRows all = settled(point, active, zero, weak);
    put_on_bounds(program, rows, point);
    const Measure error = measure(program, point, sizes);
    if (!(error.worst() <= options.tolerance)) return nullptr;
    if (all != rows) set = make(all);
    if (set == nullptr) return nullptr;
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
