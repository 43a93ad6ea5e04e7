#include "stillpoint/equations/solvers/chord.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>

#include "core/rows/rows.h"
#include "equations/solvers/inverse_jacobian.h"
#include "equations/solvers/standing.h"

namespace stillpoint {

void Chord::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* left) const {
  TORCH_CHECK(refresh_above > 0.0 && refresh_above < 1.0,
              "Chord.refresh_above: expected a number in (0, 1), got ", refresh_above);
  const std::int64_t batch = z0.size(0);
  const at::IntArrayRef shape = z0.sizes();
  const at::Tensor flat = z0.view({batch, detail::row_width(z0)});
  RowNorms norms;
  const Linearization start(f, z0);
  at::Tensor r = start.residual().reshape(flat.sizes());
  monitor.norms(flat, r, norms);
  if (!monitor.update(z0, norms) || flat.size(1) == 0) {
    if (left != nullptr) *left = detail::transposed_inverse_at(start);
    return;
  }
  detail::Standing here(flat, norms);
  at::Tensor inverse = detail::inverse_jacobian(start);
  Mask fresh(batch, 1);  // the Jacobian is that at z
  std::vector<double> length(batch, 1.0);
  while (true) {
    const at::Tensor newton = detail::matrix_times(inverse, detail::widened(r));
    const at::Tensor step = detail::narrowed(newton * detail::to_column(length, newton), flat.scalar_type());
    const at::Tensor trial = detail::select_rows(monitor.running(), here.z() + step, here.z());
    const at::Tensor trial_r = f.residual(trial.view(shape)).view(flat.sizes());
    monitor.norms(trial, trial_r, norms);
    Mask accepted(batch);
    Mask refresh(batch);
    for (std::int64_t b = 0; b < batch; ++b) {
      if (!monitor.running(b)) continue;
      const double ratio = norms.residual[b] / here.norms().residual[b];
      accepted[b] = ratio < 1.0;
      refresh[b] = !(ratio <= refresh_above) && (accepted[b] || !fresh[b]);
      length[b] = accepted[b] || !fresh[b] ? 1.0 : 0.5 * length[b];
      fresh[b] = refresh[b] || (fresh[b] && !accepted[b]);
    }
    here.move(accepted, trial, norms);
    r = detail::select_rows(accepted, trial_r, r);
    if (!monitor.update(here.z().view(shape), here.norms())) break;
    if (refresh.any()) {
      detail::renew_inverse(Linearization(f, here.z().view(shape)), refresh, inverse);
    }
  }
  if (left != nullptr) *left = detail::transposed_inverse(inverse);
}

}  // namespace stillpoint
