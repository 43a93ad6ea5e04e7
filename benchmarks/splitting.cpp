#include <cmath>

#include "benchmarks.h"
#include "cell.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;

namespace {

/// z = relu(W z + x) with W = −AᵀA + B − Bᵀ: monotone, and far from a contraction where `size` is not small.
sp::MonotoneMap monotone_map(std::int64_t width, std::int64_t batch, double size) {
  const torch::NoGradGuard no_grad;
  sp::nn::MonotoneLinear layer(width, width);
  const auto normal = [&] {
    return torch::randn({width, width}) * size / std::sqrt(static_cast<double>(width));
  };
  layer->a.copy_(normal());
  layer->b.copy_(normal());
  return layer->map_of(torch::randn({batch, width}));
}

torch::Tensor start(std::int64_t width, std::int64_t batch) { return torch::zeros({batch, width}); }

void cost_of_a_step(Table& table, std::int64_t width, std::int64_t batch) {
  constexpr int kSplittings = 50;
  const auto f = monotone_map(width, batch, 1.0);
  const auto z = start(width, batch);
  for (const sp::FixedPointSolver& solver :
       {sp::FixedPointSolver(sp::ForwardBackward{}), sp::FixedPointSolver(sp::PeacemanRachford{})}) {
    const auto options = forced_steps(solver, kSplittings);
    table.row(std::to_string(width) + " x " + std::to_string(batch) + " " + solver.name(),
              time_ratio([&] { sp::fixed_point(f, z, options); },
                         [&] {
                           for (int i = 0; i <= kSplittings; ++i) {
                             f.activation(f.affine(z));
                           }
                         }));
  }
}

void evaluations_needed(Table& table, double size) {
  const auto f = monotone_map(87, 100, size);
  const auto z = start(87, 100);
  const auto stats_of = [&](const sp::FixedPointSolver& solver) {
    return sp::fixed_point(f, z,
                           {.solver = solver, .max_iterations = 2000, .on_failure = sp::OnFailure::Ignore})
        .stats;
  };
  for (const sp::FixedPointSolver& solver :
       {sp::FixedPointSolver(sp::PeacemanRachford{}), sp::FixedPointSolver(sp::ForwardBackward{}),
        sp::FixedPointSolver(sp::Anderson{}), sp::FixedPointSolver(sp::Picard{})}) {
    const auto stats = stats_of(solver);
    table.row("A, B times " + std::to_string(static_cast<int>(size)) + ", " + solver.name() + ", " +
                  std::to_string(stats.count(sp::Status::Converged)) + " of 100 solved",
              static_cast<double>(stats.evaluations));
  }
}

}  // namespace

void splitting(Table& table) {
  const torch::NoGradGuard no_grad;
  table.heading("A step of splitting / bare evaluation (width x batch)");
  for (const auto& [width, batch] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {100, 100}, {512, 100}, {100, 1}, {512, 1}, {16, 1}}) {
    cost_of_a_step(table, width, batch);
  }
  table.heading("Evaluations to the default tolerance on monotone maps, 87 x 100");
  for (const double size : {1.0, 3.0}) {
    evaluations_needed(table, size);
  }
}
