#include "stillpoint/root/forward_backward.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/rows.h"
#include "linear/vectors.h"
#include "stillpoint/root/monotone.h"

namespace stillpoint {
namespace {

// The step of each sample, a column: what the last iteration showed of I − W, within a limit that falls while
// the residual does not.
class SplittingSteps {
 public:
  SplittingSteps(const at::Tensor& z, std::optional<double> fixed)
      : adapts_(!fixed),
        step_(at::full_like(z.narrow(1, 0, 1), fixed.value_or(1.0))),
        limit_(z.size(0), std::numeric_limits<double>::infinity()),
        best_(limit_),
        since_best_(z.size(0), 0) {}

  /// The step from z, where F(z) = z − W z − b is `forward`.
  const at::Tensor& next(const at::Tensor& z, const at::Tensor& forward,
                         const std::vector<double>& residual) {
    if (!adapts_) return step_;
    limit(residual);
    if (z_.defined()) {
      const at::Tensor dz = z - z_;
      const at::Tensor df = forward - forward_;
      const at::Tensor observed = detail::row_dot(dz, df) / detail::row_dot(df, df);
      step_ = at::minimum(at::where(observed > 0, observed, step_), detail::to_column(limit_, z));
    }
    z_ = z;
    forward_ = forward;
    return step_;
  }

 private:
  void limit(const std::vector<double>& residual) {
    constexpr int patience = 10;
    std::vector<double> steps;
    for (std::size_t b = 0; b < residual.size(); ++b) {
      if (residual[b] < best_[b]) {
        best_[b] = residual[b];
        since_best_[b] = 0;
      } else if (++since_best_[b] == patience) {
        if (steps.empty()) steps = detail::to_host(step_);
        limit_[b] = 0.5 * steps[b];
        since_best_[b] = 0;
      }
    }
  }

  bool adapts_;
  at::Tensor step_;
  at::Tensor z_, forward_;  // of the last iteration
  std::vector<double> limit_, best_;
  std::vector<int> since_best_;
};

}  // namespace

void ForwardBackward::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(!step || *step > 0.0, "ForwardBackward.step: expected a number > 0, got ", *step);
  const Map& activation = f.monotone(name).activation;
  if (z0.numel() == 0) {
    monitor.update(z0, f(z0));
    return;
  }
  const at::IntArrayRef shape = z0.sizes();
  const std::vector<std::int64_t> rows{z0.size(0), detail::row_width(z0)};
  SplittingSteps steps(z0.view(rows), step);
  RowNorms norms;
  at::Tensor z = z0;
  while (true) {
    const at::Tensor affine = f.affine(z);
    residual_norms(z, activation(affine).contiguous(), monitor.tolerance().norm, norms);
    if (!monitor.update(z, norms)) return;
    const at::Tensor flat = z.view(rows);
    const at::Tensor forward = flat - affine.view(rows);
    const at::Tensor& alpha = steps.next(flat, forward, norms.residual);
    z = activation((flat - alpha * forward).view(shape)).contiguous();
  }
}

}  // namespace stillpoint
