#include "projection_network.h"

#include <torch/types.h>

#include <cmath>

#include "program_cost.h"
#include "stillpoint/optim/projections/capped_simplex.h"
#include "stillpoint/optim/projections/simplex.h"
#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::app {

ShareNetwork::ShareNetwork(double pull)
    : pull_(pull),
      encoder_(register_module("encoder", torch::nn::Linear(784, 600))),
      decoder_(register_module("decoder", torch::nn::Linear(600, 10))) {}

at::Tensor ShareNetwork::forward(const at::Tensor& images) {
  const auto y = decoder_(encoder_(images).relu());
  const auto x = shares(y);
  apart_ = y - x;
  return x;
}

at::Tensor ShareNetwork::penalty() {
  if (pull_ == 0) return {};
  return pull_ * torch::nan_to_num(apart_).square().sum(1).mean();  // NaN where there is no solution
}

at::Tensor SimplexNetwork::shares(const at::Tensor& y) { return optim::project_simplex(y); }

// In units of the bound it is {0 ≤ x ≤ 1, Σ x = 1 / bound}.
at::Tensor BoundedSimplexNetwork::shares(const at::Tensor& y) {
  return kBound * optim::project_capped_simplex(y / kBound, 1 / kBound);
}

LearnedBoundsNetwork::LearnedBoundsNetwork() : ShareNetwork(kPull) {
  constexpr double bound = BoundedSimplexNetwork::kBound;
  logits_ = register_parameter("bounds", torch::full({10}, std::log(bound / (1 - bound)), torch::kFloat));
}

at::Tensor LearnedBoundsNetwork::shares(const at::Tensor& y) {
  const auto wide = y.to(torch::kDouble);
  const auto one = torch::ones(1, wide.options());
  auto [x, stats] = quadratic_program({.Q = torch::eye(10, wide.options()),
                                       .p = -wide,
                                       .A = torch::ones({1, 10}, wide.options()),
                                       .b = one,
                                       .lower = torch::zeros(10, wide.options()),
                                       .upper = logits_.to(torch::kDouble).sigmoid()},
                                      {.on_failure = OnFailure::Ignore});
  stats_ = stats;
  return x.to(y.scalar_type());
}

std::optional<SolveCost> LearnedBoundsNetwork::cost() const { return cost_of(stats_); }

}  // namespace stillpoint::app
