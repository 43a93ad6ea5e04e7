#include "stillpoint/equations/solvers/broyden.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "core/rows/rows.h"
#include "equations/solvers/broyden_updates.h"
#include "equations/solvers/inverse_jacobian.h"
#include "equations/solvers/standing.h"

namespace stillpoint {
namespace {

// Which samples have had to go back to their best iterate, and how often in a row.
class Setbacks {
 public:
  /// The running samples begin at their starts. Their first `trusted` steps may take the residual anywhere.
  Setbacks(const Mask& running, std::int64_t trusted)
      : trusted_(running.size(), trusted),
        count_(running.size(), 0),
        failed_(running),
        overflowed_(running),
        improved_(running),
        lengths_(running.size(), 1.0) {}

  void judge(const RowNorms& trial, const RowNorms& best, const Mask& running) {
    // Where the updates span many steps the residual grows on the way to superlinear convergence, by more
    // than ten times on some contractions. A sample that had to go back is not trusted like that again until
    // it has improved.
    constexpr double growth = 30.0;
    constexpr double growth_after_setback = 2.0;
    constexpr double any_growth = std::numeric_limits<double>::max();
    for (std::size_t b = 0; b < count_.size(); ++b) {
      const double usual = (count_[b] == 0 ? growth : growth_after_setback) * best.residual[b];
      const double limit = trusted_[b] > 0 ? any_growth : usual;
      failed_[b] = running[b] && !(trial.residual[b] <= limit);
      overflowed_[b] = failed_[b] && !std::isfinite(trial.residual[b]);
      improved_[b] = running[b] && trial.residual[b] < best.residual[b];
      trusted_[b] = failed_[b] ? 0 : trusted_[b] - 1;
      count_[b] = improved_[b] ? 0 : count_[b] + failed_[b];
      lengths_[b] = std::ldexp(1.0, -count_[b]);
    }
  }
  const Mask& failed() const { return failed_; }
  /// Of the failed, those whose residual is not even finite.
  const Mask& overflowed() const { return overflowed_; }
  const Mask& improved() const { return improved_; }
  bool any() const { return failed_.any(); }
  /// The part of the step that each sample takes next.
  const std::vector<double>& lengths() const { return lengths_; }

 private:
  std::vector<std::int64_t> trusted_;
  std::vector<int> count_;
  Mask failed_, overflowed_, improved_;
  std::vector<double> lengths_;
};

// From the identity, with memory for all updates, the method solves an affine map in 2N steps (Gay 1979),
// whatever the residual is on the way: for 2N steps its growth is no sign that the map is far from affine.
// From a Jacobian an affine map takes one step.
std::int64_t trusted_steps(std::int64_t memory, std::int64_t width, bool from_jacobian) {
  return !from_jacobian && memory >= 2 * width ? 2 * width : 0;
}

// f(z) for rows z, and the norms of the residual there.
at::Tensor evaluate(const CheckedMap& f, const Monitor& monitor, const at::Tensor& z, at::IntArrayRef shape,
                    RowNorms& norms) {
  at::Tensor fz = f(z.view(shape)).view(z.sizes());
  if (f.form() == Form::FixedPoint) {
    residual_norms(z, fz, monitor.tolerance().norm, norms);
  } else {
    monitor.norms(z, fz, norms);
  }
  return fz;
}

}  // namespace

void Broyden::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* inverse) const {
  TORCH_CHECK(memory >= 1, "Broyden.memory: expected ≥ 1, got ", memory);
  const bool fixed_point = f.form() == Form::FixedPoint;
  const bool from_jacobian =
      start.value_or(fixed_point ? BroydenStart::Identity : BroydenStart::Jacobian) == BroydenStart::Jacobian;
  const at::IntArrayRef shape = z0.sizes();
  const auto inverse_at = [&](const at::Tensor& rows) {
    return detail::inverse_jacobian(Linearization(f, rows.view(shape)));
  };
  at::Tensor z = z0.view({z0.size(0), detail::row_width(z0)});
  RowNorms norms;
  at::Tensor fz = evaluate(f, monitor, z, shape, norms);
  at::Tensor first;  // the inverse to begin with; undefined: the identity
  // If the inverse is wanted, then of samples that z0 solves as well: before the map leaves those out.
  if (from_jacobian && inverse != nullptr && z.numel() > 0) first = inverse_at(z);
  bool goes_on = monitor.update(z0, norms) && z.size(1) > 0;
  if (from_jacobian && goes_on && !first.defined()) first = inverse_at(z);

  detail::BroydenUpdates updates(z, goes_on ? memory : 0, f.form(), std::move(first));
  Setbacks setbacks(monitor.running(), trusted_steps(memory, z.size(1), from_jacobian));
  detail::Standing best(z, norms);
  while (goes_on) {
    // An update from a step that failed says how the map is there, and is kept; a new Jacobian says it
    // better.
    const auto& anew = from_jacobian ? setbacks.failed() : setbacks.overflowed();
    z = updates.step(z, fz, best.z(), {monitor.running(), setbacks.improved(), setbacks.failed(), anew},
                     setbacks.lengths());
    fz = evaluate(f, monitor, z, shape, norms);
    setbacks.judge(norms, best.norms(), monitor.running());
    best.move(setbacks.improved(), z, norms);
    goes_on = monitor.update(best.z().view(shape), best.norms());
    if (goes_on && from_jacobian && setbacks.any()) {
      updates.renew_start(setbacks.failed(), inverse_at(best.z()));
    }
  }
  if (inverse == nullptr) return;
  updates.settle();
  *inverse = [updates = std::move(updates)](const at::Tensor& u) {
    return updates.transposed_times(u.reshape({u.size(0), detail::row_width(u)})).view(u.sizes());
  };
}

}  // namespace stillpoint
