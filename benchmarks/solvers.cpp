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

/// The time of a solve of `steps` iterations ÷ that of as many bare evaluations.
void cost_of_a_step(Table& table, const Cell& f, const sp::FixedPointSolver& solver, std::int64_t steps) {
  const torch::NoGradGuard no_grad;
  const sp::Map map = [&f](const torch::Tensor& z) { return f(z); };
  const auto options = forced_steps(solver, steps);
  const auto start = f.start();
  table.row(f.size() + " " + solver.name(), time_ratio([&] { sp::fixed_point(map, start, options); },
                                                       [&] {
                                                         for (std::int64_t i = 0; i < steps; ++i) {
                                                           map(start);
                                                         }
                                                       }));
}

}  // namespace

void solvers(Table& table) {
  table.heading("An iteration / a bare evaluation of f (width x batch)");
  for (const auto& f : cells({{100, 100}, {512, 100}, {100, 1}, {512, 1}, {16, 1}})) {
    for (const auto& solver :
         std::vector<sp::FixedPointSolver>{sp::Picard{}, sp::Anderson{}, sp::Broyden{}, sp::Auto{}}) {
      cost_of_a_step(table, f, solver, 50);
    }
    // So few that none gets to the limits of rounding, where steps are halved.
    for (const auto& solver : std::vector<sp::FixedPointSolver>{sp::NewtonKrylov{}, sp::Newton{}, sp::Chord{},
                                                                sp::Dogleg{}, sp::PseudoTransient{}}) {
      cost_of_a_step(table, f, solver, 3);
    }
  }

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
