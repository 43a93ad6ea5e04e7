#include "stillpoint/autograd/tape.h"

#include "benchmarks.h"
#include "cell.h"
#include "ratio.h"

namespace sp = stillpoint;

namespace {

constexpr std::int64_t kFitSteps = 4;

/// A residual of as many numbers as unknowns, through a network of some layers; none of them vanishes.
struct Fitted {
  std::vector<Cell> layers;
  torch::Tensor target;

  torch::Tensor operator()(const torch::Tensor& x) const {
    torch::Tensor y = x;
    for (const Cell& layer : layers) y = layer(y);
    return y - target;
  }
};

Fitted fitted(std::int64_t width, std::int64_t batch, int depth) {
  Fitted result{{}, torch::randn({batch, width})};
  for (int i = 0; i < depth; ++i) result.layers.push_back({width, batch});
  return result;
}

/// What a solve of so many steps evaluates: at each point the residual and its Jacobian, and at the last one
/// the gradient and the Hessian.
void evaluate_alone(const Fitted& f, const torch::Tensor& x, std::int64_t steps) {
  const torch::Tensor unit = torch::ones_like(x);
  for (std::int64_t i = 0; i <= steps; ++i) {
    const sp::Tape tape(f, x);
    for (std::int64_t j = 0; j < x.size(1); ++j) tape.vjp(unit);
  }
  const sp::Tape gradient([&](const torch::Tensor& z) { return sp::vjp(f, z, f(z), true).product; }, x);
  for (std::int64_t j = 0; j < x.size(1); ++j) gradient.vjp(unit);
}

void cost_of_steps(Table& table, std::int64_t width, std::int64_t batch, int depth) {
  const Fitted f = fitted(width, batch, depth);
  const torch::Tensor x = torch::zeros({batch, width});
  for (const sp::LeastSquaresSolver& solver :
       {sp::LeastSquaresSolver(sp::optim::LevenbergMarquardt{}), sp::LeastSquaresSolver(sp::optim::Dogleg{}),
        sp::LeastSquaresSolver(sp::optim::GaussNewton{})}) {
    const auto solve = [&] {
      return sp::least_squares(f, x,
                               {.solver = solver,
                                .tolerance = {.relative = 0, .absolute = 0},
                                .max_iterations = kFitSteps,
                                .on_failure = sp::OnFailure::Ignore})
          .stats;
    };
    const auto stats = solve();
    TORCH_CHECK(stats.jacobian_products == (kFitSteps + 2) * width && stats.evaluations == kFitSteps + 2,
                "expected derivatives at each step, got ", stats.full());
    table.row(std::to_string(width) + " x " + std::to_string(batch) + ", " + std::to_string(depth) +
                  " layers, " + solver.name(),
              time_ratio(solve, [&] { evaluate_alone(f, x, kFitSteps); }), 1.15);
  }
}

}  // namespace

void least_squares(Table& table) {
  const torch::NoGradGuard no_grad;
  table.heading("Steps of least squares / their evaluations and products (width x batch)");
  for (const int depth : {1, 8}) cost_of_steps(table, 100, 100, depth);
  cost_of_steps(table, 10, 100, 8);
}
