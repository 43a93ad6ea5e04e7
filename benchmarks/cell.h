#pragma once

#include <torch/torch.h>

#include <string>

#include "stillpoint/stillpoint.h"

/// The layer that is measured, f(z) = tanh(x + z W): a matrix product and one elementwise pass.
struct Cell {
  std::int64_t width;
  std::int64_t batch;
  torch::Tensor weight = contraction(width);
  torch::Tensor x = 0.1 * torch::randn({batch, width});

  torch::Tensor operator()(const torch::Tensor& z) const { return torch::tanh(torch::addmm(x, z, weight)); }
  torch::Tensor start() const { return torch::zeros({batch, width}); }
  std::string size() const { return std::to_string(width) + " x " + std::to_string(batch); }

  /// A random orthogonal matrix, scaled: f contracts by at most 0.97 a step, slowly enough that no solver
  /// ends before the iterations it is given.
  static torch::Tensor contraction(std::int64_t width) {
    return 0.97 * std::get<0>(torch::linalg_qr(torch::randn({width, width})));
  }
};

/// Width x batch of each row of the budget.
inline std::vector<Cell> cells(std::initializer_list<std::pair<std::int64_t, std::int64_t>> sizes) {
  std::vector<Cell> all;
  for (const auto& [width, batch] : sizes) {
    all.push_back({width, batch});
  }
  return all;
}

/// Has a solve take that many iterations, however near it comes.
inline stillpoint::FixedPointOptions forced_steps(const stillpoint::FixedPointSolver& solver,
                                                  std::int64_t steps) {
  return {.solver = solver,
          .tolerance = {.relative = 0, .absolute = 0},
          .max_iterations = steps,
          .on_failure = stillpoint::OnFailure::Ignore};
}
