#include "stillpoint/optim/least_squares_solvers/levenberg_marquardt.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/rows/rows.h"
#include "optim/least_squares/fit.h"

namespace stillpoint::optim {
namespace {

// Least in ‖r + J d‖² + ‖√λ D d‖²: the factor of the one is put above the other and factorized again.
at::Tensor damped_step(const detail::Fit& fit, const std::vector<double>& damping) {
  const detail::FitPoint& point = fit.point();
  const std::int64_t width = point.x.size(1);
  const at::Tensor root = detail::to_column(damping, point.x).sqrt();
  const at::Tensor above = at::cat({point.triangle, point.right.unsqueeze(2)}, 2);
  const at::Tensor below = at::constant_pad_nd(at::diag_embed(root * fit.scale()), {0, 1});
  const at::Tensor both = std::get<1>(at::linalg_qr(at::cat({above, below}, 1), "r"));
  const at::Tensor triangle = both.slice(1, 0, width).slice(2, 0, width);
  const at::Tensor right = both.slice(1, 0, width).slice(2, width, width + 1);
  return -at::linalg_solve_triangular(triangle, right, /*upper=*/true).squeeze(2);
}

}  // namespace

void LevenbergMarquardt::solve(detail::Fit& fit) const {
  TORCH_CHECK(damping > 0.0, "LevenbergMarquardt.damping: expected a number > 0, got ", damping);
  constexpr double least = 1e-30;
  std::vector<double> lambda(fit.running().size(), damping);
  std::vector<double> growth(lambda.size(), 2.0);
  Mask accepted(lambda.size());
  while (fit.goes_on()) {
    const std::vector<double> gain = fit.attempt(damped_step(fit, lambda)).gain;
    for (std::size_t b = 0; b < lambda.size(); ++b) {
      accepted[b] = fit.running()[b] && gain[b] >= detail::Fit::kLeastGain;
      if (accepted[b]) {
        lambda[b] = std::max(least, lambda[b] * std::max(1.0 / 3.0, 1.0 - std::pow(2.0 * gain[b] - 1.0, 3)));
        growth[b] = 2.0;
      } else {
        lambda[b] *= growth[b];
        growth[b] *= 2.0;
      }
    }
    fit.take(accepted);
  }
}

}  // namespace stillpoint::optim
