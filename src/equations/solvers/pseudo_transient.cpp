#include "stillpoint/equations/solvers/pseudo_transient.h"

#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <cmath>

#include "core/rows/rows.h"
#include "equations/solvers/standing.h"
#include "linear/batched_solve.h"
#include "stillpoint/equations/linearization.h"

namespace stillpoint {

void PseudoTransient::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(first_step > 0.0, "PseudoTransient.first_step: expected a number > 0, got ", first_step);
  const std::int64_t batch = z0.size(0);
  const std::int64_t width = detail::row_width(z0);
  std::vector<double> inverse_step(batch, 1.0 / first_step);
  RowNorms norms;
  const Linearization start(f, z0);
  at::Tensor r = start.residual();
  monitor.norms(z0, r, norms);
  if (!monitor.update(z0, norms) || width == 0) return;
  detail::Standing here(z0, norms);
  at::Tensor matrix = detail::widened(start.dense());  // −∂r/∂z, [B, N, N]
  while (true) {
    at::Tensor shifted = matrix.clone();
    shifted.diagonal(0, 1, 2).add_(detail::to_column(inverse_step, matrix.select(2, 0)));
    const at::Tensor d = detail::solve_or_least_squares(shifted, r, monitor.running());
    const at::Tensor trial = detail::select_rows(monitor.running(), here.z() + d, here.z());
    const Linearization there(f, trial);
    monitor.norms(trial, there.residual(), norms);
    Mask usable(batch);
    for (std::int64_t b = 0; b < batch; ++b) {
      if (!monitor.running(b)) continue;
      // The shifted matrix may be singular by a chance of δ, and the step zero.
      usable[b] = std::isfinite(norms.residual[b]) && norms.residual[b] != here.norms().residual[b];
      inverse_step[b] *= usable[b] ? norms.residual[b] / here.norms().residual[b] : 10.0;
    }
    here.move(usable, trial, norms);
    if (!monitor.update(here.z(), here.norms())) return;
    r = detail::select_rows(usable, there.residual(), r);
    matrix = detail::select_rows(usable, detail::widened(there.dense()), matrix);
  }
}

}  // namespace stillpoint
