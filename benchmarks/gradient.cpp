#include "benchmarks.h"
#include "cell.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;

namespace {

constexpr std::int64_t kIterations = 30;

struct LayerWithGradients {
  explicit LayerWithGradients(Cell cell) : f(std::move(cell)) {
    f.weight.requires_grad_();
    f.x.requires_grad_();
  }

  torch::Tensor unrolled(std::int64_t iterations) const {
    auto z = f.start();
    for (std::int64_t i = 0; i < iterations; ++i) {
      z = f(z);
    }
    return z;
  }

  void backward(const torch::Tensor& z) const {
    z.sum().backward();
    f.weight.mutable_grad().reset();
    f.x.mutable_grad().reset();
  }

  Cell f;
};

/// As many steps forward, and as many backward, as plain autograd records and walks.
sp::FixedPointOptions same_iterations(const sp::FixedPointSolver& solver) {
  auto options = forced_steps(solver, kIterations);
  options.gradient = sp::ImplicitGradient{.linear_solver = sp::Neumann{.max_iterations = kIterations},
                                          .tolerance = {.relative = 0, .absolute = 0}};
  return options;
}

double implicit_ratio(const Cell& cell, const sp::FixedPointOptions& options, std::int64_t iterations) {
  const LayerWithGradients layer(cell);
  const sp::Map map = [&layer](const torch::Tensor& z) { return layer.f(z); };
  return time_ratio([&] { layer.backward(sp::fixed_point(map, layer.f.start(), options).value); },
                    [&] { layer.backward(layer.unrolled(iterations)); });
}

/// The iterations that Picard takes until the default tolerance holds for every sample.
std::int64_t picard_iterations(const Cell& f) {
  const auto stats = sp::fixed_point(f, f.start(), {.solver = sp::Picard{}, .max_iterations = 100'000}).stats;
  return *std::max_element(stats.iterations.begin(), stats.iterations.end());
}

}  // namespace

void gradient(Table& table) {
  const auto all = cells({{100, 100}, {512, 100}, {100, 1}, {512, 1}, {16, 1}});
  table.heading("Forward and backward: implicit / unrolled autograd, the same iterations (width x batch)");
  for (const auto& cell : all) {
    const double limit = cell.width == 100 && cell.batch == 100 ? 0.80 : 0.75;
    table.row(cell.size(), implicit_ratio(cell, same_iterations(sp::Picard{}), kIterations), limit);
  }
  for (const sp::FixedPointSolver& solver :
       {sp::FixedPointSolver(sp::Anderson{}), sp::FixedPointSolver(sp::Broyden{})}) {
    table.heading("The same with " + solver.name() + " forward / Picard's iteration unrolled");
    for (const auto& cell : all) {
      table.row(cell.size(), implicit_ratio(cell, same_iterations(solver), kIterations));
    }
  }
  table.heading("Forward and backward: default options / unrolled autograd, both to the default tolerance");
  for (const auto& cell : all) {
    table.row(cell.size(), implicit_ratio(cell, {}, picard_iterations(cell)));
  }
}
