#include "stillpoint/optim/projections/perturbed_argmax.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <array>
#include <cmath>

#include "core/check.h"
#include "optim/projections/arguments.h"

namespace stillpoint {
namespace {

struct Draws {
  at::Tensor center;  // [B, 1, n], theta as it was drawn around
  at::Tensor noise;   // [B, samples, n]: Z
  at::Tensor argmax;  // [B, samples, n]
  double sigma;

  // The mean of y at theta, `[B, n]`: each draw weighs as much as its density there, relative to the one
  // before.
  at::Tensor mean(const at::Tensor& theta) const {
    const at::Tensor shift = (theta.unsqueeze(1) - center) / sigma;
    const at::Tensor density = ((noise - 0.5 * shift) * shift).sum(2, /*keepdim=*/true).exp();
    return (density * argmax).mean(1);
  }
  // The mean of max theta'y where it was drawn, `[B]`.
  at::Tensor best() const { return ((center + sigma * noise) * argmax).sum(2).mean(1); }
};

Draws draw(const optim::ArgmaxSolver& solver, const at::Tensor& theta, const optim::Perturbation& options) {
  detail::check_rows("theta", theta);
  TORCH_CHECK(solver, "solver: expected a function of theta, got an empty one");
  TORCH_CHECK(options.samples >= 1, "samples: expected ≥ 1, got ", options.samples);
  TORCH_CHECK(options.sigma > 0.0 && std::isfinite(options.sigma), "sigma: expected a number > 0, got ",
              options.sigma);
  const at::NoGradGuard no_grad;
  Draws draws{theta.detach().unsqueeze(1), {}, {}, options.sigma};
  draws.noise =
      at::randn({theta.size(0), options.samples, theta.size(1)}, options.generator, theta.options());
  const at::Tensor moved = (draws.center + options.sigma * draws.noise).flatten(0, 1);
  draws.argmax = detail::evaluate(solver, "solver", moved, "theta").detach().view(draws.noise.sizes());
  return draws;
}

}  // namespace

at::Tensor optim::perturbed_argmax(const ArgmaxSolver& solver, const at::Tensor& theta,
                                   const Perturbation& options) {
  return draw(solver, theta, options).mean(theta);
}

at::Tensor optim::fenchel_young_loss(const ArgmaxSolver& solver, const at::Tensor& theta,
                                     const at::Tensor& target, const Perturbation& options) {
  const Draws draws = draw(solver, theta, options);
  const at::Tensor wanted = detail::for_each_row("target", target, {theta.size(1)}, theta);
  // The largest value is a function whose gradient is the mean of y: its integral from where theta is to
  // there. By Gauss's rule with three points, which is exact for the derivatives that the header claims.
  constexpr std::array<double, 3> weight{5.0 / 18.0, 8.0 / 18.0, 5.0 / 18.0};
  const std::array<double, 3> point{0.5 - std::sqrt(0.15), 0.5, 0.5 + std::sqrt(0.15)};
  const at::Tensor start = theta.detach();
  const at::Tensor way = theta - start;
  at::Tensor loss = draws.best() - (theta * wanted).sum(1);
  for (std::size_t i = 0; i < point.size(); ++i) {
    loss = loss + weight[i] * (draws.mean(start + point[i] * way) * way).sum(1);
  }
  return loss;
}

}  // namespace stillpoint
