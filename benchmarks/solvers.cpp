#include "benchmarks.h"
#include "cell.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;

namespace {

void compare(Table& table, const Cell& f, const sp::FixedPointSolver& solver) {
  const torch::NoGradGuard no_grad;
  const sp::Map map = [&f](const torch::Tensor& z) { return f(z); };
  const auto start = f.start();
  const auto solve = [&](const sp::FixedPointSolver& by) {
    const auto stats = sp::fixed_point(map, start, {.solver = by, .max_iterations = 1000}).stats;
    TORCH_CHECK(stats.converged(), stats.full());
    return stats.evaluations;
  };
  table.row(f.size() + " " + solver.name() + " " + std::to_string(solve(solver)),
            time_ratio([&] { solve(solver); }, [&] { solve(sp::Picard{}); }));
}

}  // namespace

void solvers(Table& table) {
  table.heading("Time to the default tolerance / Picard's, and evaluations (width x batch)");
  const std::vector<sp::FixedPointSolver> all{sp::Anderson{}, sp::Broyden{}, sp::NewtonKrylov{}, sp::Newton{},
                                              sp::Chord{},    sp::Dogleg{},  sp::Auto{}};
  for (const auto& f : cells({{100, 100}, {100, 1}, {512, 1}, {16, 1}})) {
    compare(table, f, sp::Picard{});
    for (const auto& solver : all) {
      compare(table, f, solver);
    }
  }
}
