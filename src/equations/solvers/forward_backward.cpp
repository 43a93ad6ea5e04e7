#include "stillpoint/equations/solvers/forward_backward.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "core/rows/rows.h"
#include "equations/monotone_parts.h"

namespace stillpoint {
namespace {

// The step of each sample: what the last iteration showed of I − W, within a limit that falls while the
// residual does not.
class SplittingSteps {
 public:
  SplittingSteps(std::size_t batch, std::optional<double> fixed)
      : adapts_(!fixed),
        step_(batch, fixed.value_or(1.0)),
        limit_(batch, std::numeric_limits<double>::infinity()),
        best_(limit_),
        since_best_(batch, 0) {}

  /// ΔzᵀΔF and ΔFᵀΔF are of the iteration that led here.
  void update(std::size_t b, double residual, double dz_df, double df_df) {
    if (!adapts_) return;
    if (residual < best_[b]) {
      best_[b] = residual;
      since_best_[b] = 0;
    } else if (++since_best_[b] == kPatience) {
      limit_[b] = 0.5 * step_[b];
      since_best_[b] = 0;
    }
    const double observed = dz_df / df_df;
    if (std::isfinite(observed) && observed > 0.0) step_[b] = observed;
    step_[b] = std::min(step_[b], limit_[b]);
  }
  const std::vector<double>& all() const { return step_; }
  double operator[](std::size_t b) const { return step_[b]; }

 private:
  static constexpr int kPatience = 10;

  bool adapts_;
  std::vector<double> step_, limit_, best_;
  std::vector<int> since_best_;
};

// For one row: the changes of z and of F(z) = z − W z − b since the last iteration, whose place both take.
template <class T>
void advance(std::int64_t width, const T* __restrict z, const T* __restrict affine, T* __restrict last_z,
             T* __restrict last_forward, T* __restrict dz, T* __restrict df) {
  for (std::int64_t i = 0; i < width; ++i) {
    const T forward = z[i] - affine[i];
    dz[i] = z[i] - last_z[i];
    df[i] = forward - last_forward[i];
    last_z[i] = z[i];
    last_forward[i] = forward;
  }
}

// z − α F(z) of rows `[B, N]`, with the steps chosen on the way.
class ForwardStep {
 public:
  ForwardStep(const at::Tensor& z0, std::optional<double> fixed)
      : steps_(z0.size(0), fixed), z_(z0.clone()), forward_(at::zeros_like(z0)) {}

  at::Tensor take(const at::Tensor& z, const at::Tensor& affine, const std::vector<double>& residual,
                  const Monitor& monitor) {
    if (!detail::has_row_kernels(z)) return take_batch(z, affine, residual);
    at::Tensor next = at::empty_like(z);
    AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "forward_backward",
                               [&] { take_rows<scalar_t>(z, affine, residual, monitor, next); });
    return next;
  }

 private:
  template <class T>
  void take_rows(const at::Tensor& z, const at::Tensor& affine, const std::vector<double>& residual,
                 const Monitor& monitor, at::Tensor& next) {
    const std::int64_t width = z.size(1);
    std::vector<T> change(2 * width);
    for (std::int64_t b = 0; b < z.size(0); ++b) {
      const auto row = [&](const at::Tensor& t) { return t.data_ptr<T>() + b * width; };
      const T* here = row(z);
      T* out = row(next);
      if (!monitor.running(b)) {
        std::copy_n(here, width, out);
        continue;
      }
      T* dz = change.data();
      T* df = dz + width;
      T* forward = row(forward_);
      advance(width, here, row(affine), row(z_), forward, dz, df);
      std::array<double, 2> products{};
      detail::row_kernels<T>().dots(dz, width, 2, df, width, products.data());
      steps_.update(b, residual[b], products[0], products[1]);
      const T step = static_cast<T>(steps_[b]);
      for (std::int64_t i = 0; i < width; ++i) out[i] = here[i] - step * forward[i];
    }
  }

  at::Tensor take_batch(const at::Tensor& z, const at::Tensor& affine, const std::vector<double>& residual) {
    const at::Tensor forward = z - affine;
    const at::Tensor dz = z - z_;
    const at::Tensor df = forward - forward_;
    const std::vector<double> products =
        detail::to_host(at::cat({detail::row_dot(dz, df), detail::row_dot(df, df)}, 1));
    for (std::size_t b = 0; b < residual.size(); ++b) {
      steps_.update(b, residual[b], products[2 * b], products[2 * b + 1]);
    }
    z_ = z;
    forward_ = forward;
    return z - detail::to_column(steps_.all(), z) * forward;
  }

  SplittingSteps steps_;
  at::Tensor z_, forward_;  // z and F(z) of the last iteration; at first z0 and 0, which show nothing
};

}  // namespace

void ForwardBackward::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(!step || *step > 0.0, "ForwardBackward.step: expected a number > 0, got ", *step);
  const MonotoneMap& parts = detail::monotone_parts(f, "ForwardBackward");
  const at::IntArrayRef shape = z0.sizes();
  const std::vector<std::int64_t> rows{z0.size(0), detail::row_width(z0)};
  ForwardStep forward(z0.view(rows), step);
  RowNorms norms;
  at::Tensor z = z0;
  while (true) {
    const at::Tensor affine = f.evaluate_part(parts.affine, z);
    f.count_evaluations(1);
    residual_norms(z, f.evaluate_part(parts.activation, affine), monitor.tolerance().norm, norms);
    if (!monitor.update(z, norms)) return;
    const at::Tensor next = forward.take(z.view(rows), affine.view(rows), norms.residual, monitor);
    z = f.evaluate_part(parts.activation, next.view(shape));
  }
}

}  // namespace stillpoint
