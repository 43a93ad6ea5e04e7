#include "stillpoint/equations/solvers/dogleg.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <vector>

#include "core/rows/rows.h"
#include "descent/dogleg_path.h"
#include "descent/trust_region.h"
#include "equations/solvers/standing.h"
#include "linear/batched_solve.h"
#include "linear/vectors.h"
#include "stillpoint/equations/linearization.h"

namespace stillpoint {
namespace {

// What the model knows at the current points, one row a sample: r + J d = r − A d, with J = ∂r/∂z.
struct Model {
  at::Tensor residual;  // [B, N]
  at::Tensor matrix;    // A, [B, N, N]
  at::Tensor scale;     // D, [B, N]

  at::Tensor predict(const at::Tensor& d) const { return residual - detail::matrix_times(matrix, d); }
};

at::Tensor length_of(const at::Tensor& rows) { return detail::row_dot(rows, rows).sqrt(); }

// The step of the running samples, no longer than `radius` in scaled variables.
at::Tensor dogleg_step(const Model& model, const at::Tensor& radius, const Mask& running) {
  const at::Tensor scaled = model.matrix / model.scale.unsqueeze(1);
  const at::Tensor newton = detail::solve_or_least_squares(scaled, model.residual, running);
  const at::Tensor descent = detail::matrix_times(scaled.transpose(1, 2), model.residual);
  const at::Tensor image = detail::matrix_times(scaled, descent);
  return detail::DoglegPath(descent, detail::row_dot(image, image), newton).point(radius) / model.scale;
}

// Has the regions judge the steps d, which lead to `trial_residual`.
void judge(detail::TrustRegion& regions, const Model& model, const at::Tensor& d,
           const at::Tensor& trial_residual, const Mask& running) {
  const std::size_t batch = running.size();
  std::vector<double> lengths =
      detail::to_host(at::stack({length_of(model.scale * d), length_of(model.residual),
                                 length_of(model.predict(d)), length_of(trial_residual)}));
  std::vector<double> ratio(batch);
  for (std::size_t b = 0; b < batch; ++b) {
    ratio[b] = detail::gain_ratio(lengths[batch + b], lengths[2 * batch + b], lengths[3 * batch + b]);
  }
  lengths.resize(batch);
  regions.judge(lengths, ratio, running);
}

// Of the first region: relative to the scaled start.
std::vector<double> first_radii(const at::Tensor& scaled_start, double factor) {
  std::vector<double> radius = detail::to_host(length_of(scaled_start));
  for (double& number : radius) number = number > 0.0 ? factor * number : factor;
  return radius;
}

}  // namespace

void Dogleg::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(first_radius > 0.0, "Dogleg.first_radius: expected a number > 0, got ", first_radius);
  RowNorms norms;
  const Linearization start(f, z0);
  monitor.norms(z0, start.residual(), norms);
  const at::Tensor flat = z0.view({z0.size(0), detail::row_width(z0)});
  if (!monitor.update(z0, norms) || flat.size(1) == 0) return;

  detail::Standing here(flat, norms);
  // The model is in units of each sample's first residual, whose square may leave the range of its dtype.
  const at::Tensor first = detail::widened(start.residual().reshape(flat.sizes()));
  const at::Tensor unit =
      detail::to_column(detail::power_units(detail::row_norms(first, Norm::Maximum)), first);
  const at::Tensor matrix = detail::widened(start.dense()) / unit.unsqueeze(2);
  Model model{first / unit, matrix, detail::column_scale(matrix, {})};
  detail::TrustRegion regions(first_radii(model.scale * flat, first_radius));
  while (true) {
    const at::Tensor d =
        dogleg_step(model, detail::to_column(regions.radius(), model.residual), monitor.running());
    const at::Tensor trial =
        detail::select_rows(monitor.running(), here.z() + d.to(flat.scalar_type()), here.z());
    const Linearization there(f, trial.view(z0.sizes()));
    const at::Tensor trial_residual = detail::widened(there.residual().reshape(flat.sizes()));
    judge(regions, model, d, trial_residual / unit, monitor.running());
    const Mask& accepted = regions.accepted();
    monitor.norms(trial, trial_residual, norms);
    here.move(accepted, trial, norms);
    if (!monitor.update(here.z().view(z0.sizes()), here.norms())) return;
    if (!accepted.any()) continue;
    const at::Tensor matrix_there =
        detail::select_rows(accepted, detail::widened(there.dense()) / unit.unsqueeze(2), model.matrix);
    model = {detail::select_rows(accepted, trial_residual / unit, model.residual), matrix_there,
             detail::column_scale(matrix_there, model.scale)};
  }
}

}  // namespace stillpoint
