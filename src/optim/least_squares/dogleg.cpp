#include "stillpoint/optim/least_squares_solvers/dogleg.h"

#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <vector>

#include "core/rows/rows.h"
#include "descent/dogleg_path.h"
#include "descent/trust_region.h"
#include "optim/least_squares/fit.h"

namespace stillpoint::optim {
namespace {

// No longer than `radius` in scaled variables.
at::Tensor step_within_region(const detail::Fit& fit, const std::vector<double>& radius) {
  const at::Tensor descent = -fit.point().gradient / fit.scale();
  const at::Tensor image = fit.image(descent / fit.scale());
  const detail::DoglegPath path(descent, detail::row_dot(image, image), fit.gauss_newton() * fit.scale());
  return path.point(detail::to_column(radius, descent)) / fit.scale();
}

}  // namespace

void Dogleg::solve(detail::Fit& fit) const {
  TORCH_CHECK(first_radius > 0.0, "Dogleg.first_radius: expected a number > 0, got ", first_radius);
  if (!fit.goes_on()) return;
  detail::TrustRegion regions(fit.first_radii(first_radius));
  do {
    const detail::Fit::Attempt tried = fit.attempt(step_within_region(fit, regions.radius()));
    regions.judge(tried.length, tried.gain, fit.running());
    fit.take(regions.accepted());
  } while (fit.goes_on());
}

}  // namespace stillpoint::optim
