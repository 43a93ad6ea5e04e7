#include "benchmarks.h"
#include "cell.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;

namespace {

constexpr std::int64_t kSteps = 50;

/// The time of a solve of a fixed number of iterations ÷ that of as many bare evaluations.
double solve_ratio(const Cell& f, const sp::FixedPointSolver& solver) {
  const torch::NoGradGuard no_grad;
  const sp::Map map = [&f](const torch::Tensor& z) { return f(z); };
  const auto options = forced_steps(solver, kSteps);
  const auto start = f.start();
  const auto evaluations = sp::fixed_point(map, start, options).stats.evaluations;
  TORCH_CHECK(evaluations > kSteps, "the solve ended early, after ", evaluations, " evaluations");
  return time_ratio([&] { sp::fixed_point(map, start, options); },
                    [&] {
                      auto z = start;
                      for (std::int64_t i = 0; i < evaluations; ++i) {
                        z = map(z);
                      }
                    });
}

}  // namespace

void forward(Table& table) {
  table.heading("Picard / as many bare evaluations of f (width x batch)");
  for (const auto& f : cells({{100, 100}, {512, 100}, {100, 1}, {512, 1}, {16, 1}})) {
    table.row(f.size(), solve_ratio(f, sp::Picard{}), 1.05);
  }
  table.heading("Anderson, memory 5 / as many bare evaluations of f (width x batch)");
  table.row("100 x 100", solve_ratio({100, 100}, sp::Anderson{.memory = 5}), 1.35);
  table.row("512 x 100", solve_ratio({512, 100}, sp::Anderson{.memory = 5}), 1.10);
  table.row("100 x 1", solve_ratio({100, 1}, sp::Anderson{.memory = 5}), 1.25);
}
