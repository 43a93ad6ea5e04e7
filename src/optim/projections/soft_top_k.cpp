#include "stillpoint/optim/projections/soft_top_k.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <limits>

#include "core/dtype.h"
#include "optim/projections/arguments.h"
#include "stillpoint/autograd/implicit.h"
#include "stillpoint/linear/solvers/dense_lu.h"

namespace stillpoint {
namespace {

// The largest exponent whose exponential is finite, with some room.
double largest_exponent(at::ScalarType dtype) {
  const double largest = dtype == at::kDouble ? std::numeric_limits<double>::max()
                                              : static_cast<double>(std::numeric_limits<float>::max());
  return 0.98 * std::log(largest);
}

struct SoftTopK {
  at::Tensor y;  // [B, n]
  at::Tensor k;  // [B, 1] or [1, 1], as eps
  at::Tensor eps;

  at::Tensor logits(const at::Tensor& tau) const { return (y - tau) / eps; }

  // Σ sigmoid − k, in units of its largest term. Where k is whole and eps small, all terms are near 0 or 1:
  // so an entry counts by what it lacks to the nearer of these, and in units in which that does not
  // underflow.
  at::Tensor excess(const at::Tensor& tau) const {
    const at::Tensor z = logits(tau);
    const at::Tensor high = z.detach() > 0.0;
    const at::Tensor exponent = z.detach().abs().amin(1, /*keepdim=*/true);
    const at::Tensor lacking = at::exp(exponent + at::log_sigmoid(at::where(high, -z, z)));
    const at::Tensor unit = at::exp(exponent.clamp_max(largest_exponent(y.scalar_type())));
    return at::where(high, -lacking, lacking).sum(1, /*keepdim=*/true) -
           (k - high.sum(1, /*keepdim=*/true)) * unit;
  }

  // A sigmoid near 1 is 1 less a small number, so that its derivative keeps its digits. By its logarithm:
  // at::sigmoid rounds an entry by its place in the batch.
  at::Tensor indicator(const at::Tensor& tau) const {
    const at::Tensor z = logits(tau);
    const at::Tensor high = z.detach() > 0.0;
    const at::Tensor lacking = at::exp(at::log_sigmoid(at::where(high, -z, z)));
    return at::where(high, 1.0 - lacking, lacking);
  }

  // Newton's steps for it. One that is more than half as long as the last gives way to half of the bracket,
  // so that no tail of a sigmoid delays it.
  at::Tensor solve() const {
    constexpr int most = 200;  // a bracket of doubles is closed by half of them
    const at::Tensor offset = eps * at::logit(k / static_cast<double>(y.size(1)));
    at::Tensor low = y.amin(1, /*keepdim=*/true) - offset;
    at::Tensor high = y.amax(1, /*keepdim=*/true) - offset;
    at::Tensor tau = 0.5 * (low + high);
    at::Tensor last = high - low;
    for (int i = 0; i < most; ++i) {
      const at::Tensor value = excess(tau);
      const at::Tensor z = logits(tau);
      const at::Tensor exponent = z.abs().amin(1, /*keepdim=*/true);
      const at::Tensor slope =
          at::exp(exponent + at::log_sigmoid(z) + at::log_sigmoid(-z)).sum(1, /*keepdim=*/true) / eps;
      low = at::where(value >= 0.0, tau, low);
      high = at::where(value <= 0.0, tau, high);
      const at::Tensor step = value / slope;
      const at::Tensor newton = tau + step;
      const at::Tensor small = 4.0 * detail::machine_epsilon(at::kDouble) * (tau.abs() + eps);
      const at::Tensor moves = (step.abs() > small) & (high > low);
      if (!moves.any().item<bool>()) return tau;
      const at::Tensor middle = 0.5 * (low + high);
      const at::Tensor takes = (newton > low) & (newton < high) & (step.abs() < 0.5 * last);
      const at::Tensor next = at::where(takes, newton, middle);
      last = (next - tau).abs();
      tau = at::where(moves, next, tau);
    }
    return tau;
  }
};

}  // namespace

at::Tensor optim::soft_top_k(const at::Tensor& y, const RowNumber& k, const RowNumber& eps) {
  detail::check_rows("y", y);
  // The result for y + c is that for y. This one loses no digits.
  const SoftTopK problem{y.contiguous() - y.detach().amax(1, /*keepdim=*/true),
                         detail::number_column("k", k, y), detail::number_column("eps", eps, y)};
  at::Tensor tau;
  {
    const at::NoGradGuard no_grad;
    const auto wide = [](const at::Tensor& t) { return t.detach().to(at::kDouble); };
    tau = SoftTopK{wide(problem.y), wide(problem.k), wide(problem.eps)}.solve().to(y.scalar_type());
  }
  Condition condition([problem](const at::Tensor& t) { return problem.excess(t); });
  tau = implicit(condition.stated(Form::Root, "the sum of soft_top_k"), tau, {.solver = DenseLu{}});
  const at::Tensor exists =
      (problem.k > 0.0) & (problem.k < static_cast<double>(y.size(1))) & (problem.eps > 0.0);
  return detail::where_exists(exists, problem.indicator(tau));
}

}  // namespace stillpoint
