#include "stillpoint/optim/least_squares_solvers/levenberg_marquardt.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/rows/rows.h"
#include "descent/trust_region.h"
#include "optim/least_squares/fit.h"

namespace stillpoint::optim {
namespace {

// The model of some samples: R d + q, with lengths measured as ‖D d‖.
struct DampedModel {
  at::Tensor triangle;  // R, [B, N, N]
  at::Tensor right;     // q, [B, N]
  at::Tensor scale;     // D, [B, N]

  struct Step {
    at::Tensor d;
    std::vector<double> length;  // ‖D d‖
    std::vector<double> slope;   // of that in λ
  };

  DampedModel rows(const at::Tensor& index) const {
    return {triangle.index_select(0, index), right.index_select(0, index), scale.index_select(0, index)};
  }

  // Least in ‖R d + q‖² + λ ‖D d‖²: the second part is put below the first and both are factorized.
  Step step(const std::vector<double>& lambda) const {
    const std::int64_t width = right.size(1);
    const at::Tensor root = detail::to_column(lambda, right).sqrt();
    const at::Tensor above = at::cat({triangle, right.unsqueeze(2)}, 2);
    const at::Tensor below = at::constant_pad_nd(at::diag_embed(root * scale), {0, 1});
    const at::Tensor both = std::get<1>(at::linalg_qr(at::cat({above, below}, 1), "r")).slice(1, 0, width);
    const at::Tensor damped = both.slice(2, 0, width);
    const at::Tensor d =
        -at::linalg_solve_triangular(damped, both.slice(2, width, width + 1), true).squeeze(2);
    const at::Tensor scaled = scale * d;
    const at::Tensor length = scaled.square().sum(1, /*keepdim=*/true).sqrt();
    const at::Tensor bent = at::linalg_solve_triangular(
        damped.transpose(1, 2), (scale * detail::quotient_or_zero(scaled, length)).unsqueeze(2), false);
    const at::Tensor slope = -length.squeeze(1) * bent.square().sum({1, 2});
    return {d, detail::to_host(length.flatten()), detail::to_host(slope)};
  }
};

// Where λ of one sample is looked for: the length of its step, which falls in λ, has to come to the radius.
// (Moré 1978, section 5.)
struct DampingSearch {
  double radius, least, most, lambda;

  void keep_inside() {
    if (!(lambda > least && lambda < most)) lambda = std::max(1e-3 * most, std::sqrt(least * most));
  }
  // Takes in a step's length and slope; true if it will do.
  bool judge(double length, double slope) {
    const double excess = length - radius;
    if (!std::isfinite(excess) || !std::isfinite(slope)) {
      least = std::max(least, lambda);
      lambda = std::sqrt(lambda * most);
      return false;
    }
    if (std::abs(excess) <= 0.1 * radius) return true;
    if (excess < 0.0) most = std::min(most, lambda);
    least = std::max(least, lambda - excess / slope);
    lambda -= length / radius * excess / slope;
    keep_inside();
    return false;
  }
};

// The steps of the running samples to the edge of their regions, or those of Gauss and Newton within them.
// λ is kept in `damping` as a start for the next time.
at::Tensor step_within_ball(const detail::Fit& fit, const std::vector<double>& radius,
                            std::vector<double>& damping) {
  constexpr int most_trials = 10;
  const detail::FitPoint& point = fit.point();
  const at::Tensor& newton = fit.gauss_newton();
  const std::vector<double> length = detail::row_norms((fit.scale() * newton).contiguous(), Norm::Euclidean);
  const std::vector<double> slope =
      detail::row_norms((point.gradient / fit.scale()).contiguous(), Norm::Euclidean);
  std::vector<std::int64_t> pending;
  std::vector<DampingSearch> searches(radius.size());
  for (std::size_t b = 0; b < radius.size(); ++b) {
    if (!fit.running()[b] || length[b] <= 1.1 * radius[b]) continue;
    pending.push_back(static_cast<std::int64_t>(b));
    searches[b] = {radius[b], 0.0, slope[b] / radius[b], damping[b]};
    searches[b].keep_inside();
  }
  at::Tensor steps = newton.clone();
  const DampedModel model{point.triangle, point.right, fit.scale()};
  for (int trial = 0; trial < most_trials && !pending.empty(); ++trial) {
    const at::Tensor index = at::tensor(pending, at::kLong).to(steps.device());
    std::vector<double> lambda;
    lambda.reserve(pending.size());
    for (const std::int64_t b : pending) lambda.push_back(searches[b].lambda);
    const DampedModel::Step found = model.rows(index).step(lambda);
    steps.index_copy_(0, index, found.d);
    std::vector<std::int64_t> left;
    for (std::size_t i = 0; i < pending.size(); ++i) {
      const std::int64_t b = pending[i];
      damping[b] = lambda[i];
      if (!searches[b].judge(found.length[i], found.slope[i])) left.push_back(b);
    }
    pending = std::move(left);
  }
  return steps;
}

}  // namespace

void LevenbergMarquardt::solve(detail::Fit& fit) const {
  TORCH_CHECK(first_radius > 0.0, "LevenbergMarquardt.first_radius: expected a number > 0, got ",
              first_radius);
  if (!fit.goes_on()) return;
  detail::TrustRegion regions(fit.first_radii(first_radius));
  std::vector<double> damping(regions.radius().size(), 0.0);
  do {
    const detail::Fit::Attempt tried = fit.attempt(step_within_ball(fit, regions.radius(), damping));
    regions.judge(tried.length, tried.gain, fit.running());
    fit.take(regions.accepted());
  } while (fit.goes_on());
}

}  // namespace stillpoint::optim
