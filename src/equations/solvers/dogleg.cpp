#include "stillpoint/equations/solvers/dogleg.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>

#include "core/rows/rows.h"
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

// The largest column norms so far; 1 for a column that has always been zero.
at::Tensor scale_of(const at::Tensor& matrix, const at::Tensor& before) {
  const at::Tensor columns = matrix.square().sum(1).sqrt();
  if (before.defined()) return at::maximum(before, columns);
  return at::where(columns > 0, columns, 1);
}

at::Tensor length_of(const at::Tensor& rows) { return rows.square().sum(1, true).sqrt(); }

// The point of the dogleg path at distance `radius` (or its end, if that is nearer), in unscaled variables.
at::Tensor dogleg_step(const Model& model, const at::Tensor& radius, const Mask& running) {
  const at::Tensor scaled = model.matrix / model.scale.unsqueeze(1);
  const at::Tensor newton = detail::solve_or_least_squares(scaled, model.residual, running);
  const at::Tensor gradient = detail::matrix_times(scaled.transpose(1, 2), model.residual);
  const at::Tensor image = detail::matrix_times(scaled, gradient);
  const at::Tensor slope = gradient.square().sum(1, true);
  const at::Tensor cauchy = gradient * detail::quotient_or_zero(slope, image.square().sum(1, true));
  const at::Tensor steepest = gradient * detail::quotient_or_zero(radius, slope.sqrt());

  // Between both: ‖cauchy + t (newton − cauchy)‖ = radius for a t in [0, 1], in the form without
  // cancellation.
  const at::Tensor leg = newton - cauchy;
  const at::Tensor a = leg.square().sum(1, true);
  const at::Tensor b = (cauchy * leg).sum(1, true);
  const at::Tensor c = (radius.square() - cauchy.square().sum(1, true)).clamp_min(0);
  const at::Tensor root = (b.square() + a * c).sqrt();
  const at::Tensor t =
      at::where(b > 0, detail::quotient_or_zero(c, b + root), detail::quotient_or_zero(root - b, a));
  const at::Tensor between = cauchy + t.clamp(0, 1) * leg;

  const at::Tensor newton_length = length_of(newton);
  const at::Tensor beyond = at::where(length_of(cauchy) >= radius, steepest, between);
  return at::where(newton_length <= radius, newton, beyond) / model.scale;
}

// The radius of each sample's region, and the verdict on its steps.
class Regions {
 public:
  Regions(const std::vector<double>& scaled_length, double factor)
      : radius_(scaled_length), accepted_(radius_.size()) {
    for (double& radius : radius_) radius = radius > 0.0 ? factor * radius : factor;
  }

  const std::vector<double>& radius() const { return radius_; }
  const Mask& accepted() const { return accepted_; }

  void judge(const Model& model, const at::Tensor& d, const at::Tensor& trial_residual, const Mask& running) {
    const std::vector<double> lengths =
        detail::to_host(at::stack({length_of(model.scale * d), length_of(model.residual),
                                   length_of(model.predict(d)), length_of(trial_residual)}));
    const std::size_t batch = radius_.size();
    for (std::size_t b = 0; b < batch; ++b) {
      accepted_[b] = 0;
      if (running[b]) {
        judge_one(b, lengths[b], lengths[batch + b], lengths[2 * batch + b], lengths[3 * batch + b]);
      }
    }
    first_ = false;
  }

 private:
  // The length of the step, and those of the residual now, predicted, and at the trial point.
  void judge_one(std::size_t b, double step, double now, double predicted, double trial) {
    if (first_) radius_[b] = std::min(radius_[b], step);
    const double actual_gain = trial < now ? 1.0 - trial / now * (trial / now) : -1.0;
    const double predicted_gain = predicted < now ? 1.0 - predicted / now * (predicted / now) : 0.0;
    const double ratio = predicted_gain > 0.0 ? actual_gain / predicted_gain : 0.0;
    if (!(ratio >= 0.1)) {
      radius_[b] = 0.5 * std::min(radius_[b], step);
    } else if (std::abs(ratio - 1.0) <= 0.1) {
      radius_[b] = 2.0 * step;
    } else if (ratio >= 0.5) {
      radius_[b] = std::max(radius_[b], 2.0 * step);
    }
    accepted_[b] = ratio >= 1e-4;
  }

  std::vector<double> radius_;
  Mask accepted_;
  bool first_ = true;
};

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
  Model model{first / unit, matrix, scale_of(matrix, {})};
  Regions regions(detail::to_host(length_of(model.scale * flat)), first_radius);
  while (true) {
    const at::Tensor d =
        dogleg_step(model, detail::to_column(regions.radius(), model.residual), monitor.running());
    const at::Tensor trial =
        detail::select_rows(monitor.running(), here.z() + d.to(flat.scalar_type()), here.z());
    const Linearization there(f, trial.view(z0.sizes()));
    const at::Tensor trial_residual = detail::widened(there.residual().reshape(flat.sizes()));
    regions.judge(model, d, trial_residual / unit, monitor.running());
    const Mask& accepted = regions.accepted();
    monitor.norms(trial, trial_residual, norms);
    here.move(accepted, trial, norms);
    if (!monitor.update(here.z().view(z0.sizes()), here.norms())) return;
    if (!accepted.any()) continue;
    const at::Tensor matrix_there =
        detail::select_rows(accepted, detail::widened(there.dense()) / unit.unsqueeze(2), model.matrix);
    model = {detail::select_rows(accepted, trial_residual / unit, model.residual), matrix_there,
             scale_of(matrix_there, model.scale)};
  }
}

}  // namespace stillpoint
