#include "stillpoint/optim/least_squares_solvers/gauss_newton.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <vector>

#include "core/rows/rows.h"
#include "optim/least_squares/fit.h"

namespace stillpoint::optim {
namespace {

// Down the gradient in scaled variables, to where the model is least.
at::Tensor steepest_step(const detail::Fit& fit) {
  const at::Tensor direction = -fit.point().gradient / fit.scale().square();
  const at::Tensor image = fit.image(direction);
  const at::Tensor fall = -detail::row_dot(fit.point().gradient, direction);
  return direction * detail::quotient_or_zero(fall, detail::row_dot(image, image));
}

}  // namespace

void GaussNewton::solve(detail::Fit& fit) const {
  constexpr double least_part = 1e-3;
  const std::size_t batch = fit.running().size();
  std::vector<double> part(batch, 1.0);
  Mask descends(batch);
  Mask accepted(batch);
  while (fit.goes_on()) {
    at::Tensor step = fit.gauss_newton();
    if (descends.any()) step = detail::select_rows(descends, steepest_step(fit), step);
    const std::vector<double> gain = fit.attempt(detail::to_column(part, step) * step).gain;
    for (std::size_t b = 0; b < batch; ++b) {
      accepted[b] = fit.running()[b] && gain[b] >= detail::Fit::kLeastGain;
      part[b] = accepted[b] ? 1.0 : 0.5 * part[b];
      if (accepted[b]) descends[b] = 0;
      if (!descends[b] && part[b] < least_part) {
        descends[b] = 1;
        part[b] = 1.0;
      }
    }
    fit.take(accepted);
  }
}

}  // namespace stillpoint::optim
