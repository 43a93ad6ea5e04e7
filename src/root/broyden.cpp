#include "stillpoint/root/broyden.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/rows.h"
#include "linear/vectors.h"
#include "root/inverse_jacobian.h"
#include "root/standing.h"

namespace stillpoint {
namespace {

// The approximate inverse H = H₀ + Σ uⱼ vⱼᵀ of each sample. Vectors are rows `[B, N]`.
class InverseUpdates {
 public:
  InverseUpdates(const at::Tensor& like, std::int64_t memory)
      : memory_(memory),
        u_(at::zeros({like.size(0), memory, like.size(1)}, like.options())),
        v_(at::zeros_like(u_)) {}

  /// Begins again for the marked samples, at H₀ = `inverse` (undefined: the identity).
  void reset(const std::vector<std::uint8_t>& mark, const at::Tensor& inverse) {
    const at::Tensor nothing = at::zeros_like(u_);
    u_ = detail::select_rows(mark, nothing, u_);
    v_ = detail::select_rows(mark, nothing, v_);
    if (inverse.defined()) start_ = start_.defined() ? detail::select_rows(mark, inverse, start_) : inverse;
  }

  /// Takes the marked samples over from another.
  void take(const std::vector<std::uint8_t>& mark, const InverseUpdates& from) {
    u_ = detail::select_rows(mark, from.u_, u_);
    v_ = detail::select_rows(mark, from.v_, v_);
    if (from.start_.defined()) start_ = detail::select_rows(mark, from.start_, start_);
    used_ = memory_;  // what is not used is zero
  }

  at::Tensor times(const at::Tensor& x) const { return apply(start_, u_, v_, x); }
  at::Tensor transposed_times(const at::Tensor& x) const {
    return apply(start_.defined() ? start_.transpose(1, 2) : start_, v_, u_, x);
  }

  /// The good update, after which H (r_before − r_after) = step. Without effect where it is not defined.
  void update(const at::Tensor& step, const at::Tensor& change) {
    if (used_ == memory_) {
      u_.zero_();
      v_.zero_();
      used_ = 0;
    }
    const at::Tensor h_change = times(change);
    const at::Tensor v = transposed_times(step);
    const at::Tensor u =
        (step - h_change) * detail::quotient_or_zero(at::ones_like(step.select(1, 0)).unsqueeze(1),
                                                     detail::row_dot(step, h_change));
    const at::Tensor usable = (at::isfinite(u) & at::isfinite(v)).all(1, /*keepdim=*/true);
    const at::Tensor zero = at::zeros_like(u);
    u_.select(1, used_).copy_(at::where(usable, u, zero));
    v_.select(1, used_).copy_(at::where(usable, v, zero));
    ++used_;
  }

 private:
  at::Tensor apply(const at::Tensor& start, const at::Tensor& left, const at::Tensor& right,
                   const at::Tensor& x) const {
    at::Tensor first = start.defined() ? at::bmm(start, x.unsqueeze(2)).squeeze(2) : x;
    if (used_ == 0) return first;
    if (detail::has_row_kernels(x)) {
      const at::Tensor input = x.contiguous();
      const at::Tensor base = first.contiguous();
      at::Tensor out = at::empty_like(input);
      AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "broyden", [&] {
        apply_rows(left.data_ptr<scalar_t>(), right.data_ptr<scalar_t>(), input.data_ptr<scalar_t>(),
                   base.data_ptr<scalar_t>(), out.data_ptr<scalar_t>());
      });
      return out;
    }
    const at::Tensor weights = at::bmm(right.narrow(1, 0, used_), x.unsqueeze(2));
    return first + at::bmm(weights.transpose(1, 2), left.narrow(1, 0, used_)).squeeze(1);
  }

  template <class T>
  void apply_rows(const T* left, const T* right, const T* x, const T* first, T* out) const {
    const auto& kernels = detail::row_kernels<T>();
    const std::int64_t width = u_.size(2);
    std::vector<double> weights(used_);
    for (std::int64_t b = 0; b < u_.size(0); ++b) {
      kernels.dots(right, width, used_, x, width, weights.data());
      kernels.combine(left, width, used_, weights.data(), width, first, out);
      left += memory_ * width;
      right += memory_ * width;
      x += width;
      first += width;
      out += width;
    }
  }

  std::int64_t memory_;
  std::int64_t used_ = 0;
  at::Tensor start_;  // H₀, [B, N, N]; undefined for the identity
  at::Tensor u_, v_;  // [B, memory, N]
};

// H for who asks for it after the solve: of each sample as it was when the sample finished, since the updates
// of all are dropped together.
class LeftInverse {
 public:
  LeftInverse(const InverseUpdates& start, Monitor& monitor)
      : monitor_(monitor), running_(monitor.running()), rows_(start) {}

  void follow(const InverseUpdates& now) {
    std::vector<std::uint8_t> finished(running_.size());
    for (std::size_t b = 0; b < finished.size(); ++b) finished[b] = running_[b] && !monitor_.running(b);
    if (std::ranges::count(finished, 1) > 0) rows_.take(finished, now);
    running_ = monitor_.running();
  }
  void leave(const InverseUpdates& now) {
    rows_.take(running_, now);
    monitor_.leave_inverse([rows = rows_](const at::Tensor& u) {
      return rows.transposed_times(u.reshape({u.size(0), detail::row_width(u)})).view(u.sizes());
    });
  }

 private:
  Monitor& monitor_;
  std::vector<std::uint8_t> running_;
  InverseUpdates rows_;
};

// How often in a row a sample has had to go back to its best iterate.
class Setbacks {
 public:
  explicit Setbacks(std::size_t batch) : count_(batch, 0), failed_(batch, 0), improved_(batch, 0) {}

  void judge(const RowNorms& trial, const RowNorms& best, const std::vector<std::uint8_t>& running) {
    // Where the updates span many steps the residual grows on the way to superlinear convergence, by more
    // than ten times on some contractions. A sample that had to go back is not trusted like that again until
    // it has improved.
    constexpr double growth = 30.0;
    constexpr double growth_after_setback = 2.0;
    for (std::size_t b = 0; b < count_.size(); ++b) {
      const double limit = (count_[b] == 0 ? growth : growth_after_setback) * best.residual[b];
      failed_[b] = running[b] && !(trial.residual[b] <= limit);
      improved_[b] = running[b] && trial.residual[b] < best.residual[b];
      count_[b] = improved_[b] ? 0 : count_[b] + failed_[b];
    }
  }
  const std::vector<std::uint8_t>& failed() const { return failed_; }
  const std::vector<std::uint8_t>& improved() const { return improved_; }
  /// The part of the step that each sample takes next.
  std::vector<double> lengths() const {
    std::vector<double> result(count_.size());
    for (std::size_t b = 0; b < result.size(); ++b) result[b] = std::ldexp(1.0, -count_[b]);
    return result;
  }

 private:
  std::vector<int> count_;
  std::vector<std::uint8_t> failed_, improved_;
};

}  // namespace

void Broyden::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(memory >= 1, "Broyden.memory: expected ≥ 1, got ", memory);
  const bool fixed_point = f.equation() == Equation::FixedPoint;
  const bool from_jacobian =
      start.value_or(fixed_point ? BroydenStart::Identity : BroydenStart::Jacobian) == BroydenStart::Jacobian;
  const at::IntArrayRef shape = z0.sizes();
  at::Tensor z = z0.view({z0.size(0), detail::row_width(z0)});
  RowNorms norms;
  at::Tensor r = f.residual(z0).view(z.sizes());
  monitor.norms(z, r, norms);
  if (!monitor.update(z0, norms) || z.size(1) == 0) {
    if (monitor.inverse_wanted() && from_jacobian) {
      detail::leave_inverse_at(monitor, f, z0);
    } else if (monitor.inverse_wanted()) {
      monitor.leave_inverse([](const at::Tensor& u) { return u; });
    }
    return;
  }
  detail::Standing best(z, norms);
  at::Tensor best_r = r;
  Setbacks setbacks(norms.residual.size());
  InverseUpdates inverse(z, memory);
  const auto begin_at = [&](const std::vector<std::uint8_t>& mark, const at::Tensor& point) {
    inverse.reset(
        mark, from_jacobian ? detail::inverse_jacobian(Linearization(f, point.view(shape))) : at::Tensor());
  };
  if (from_jacobian) begin_at(monitor.running(), z);
  std::optional<LeftInverse> left;
  if (monitor.inverse_wanted()) left.emplace(inverse, monitor);
  while (true) {
    const at::Tensor step = inverse.times(r) * detail::to_column(setbacks.lengths(), z);
    const at::Tensor trial = detail::select_rows(monitor.running(), z + step, z);
    const at::Tensor trial_r = f.residual(trial.view(shape)).view(z.sizes());
    monitor.norms(trial, trial_r, norms);
    setbacks.judge(norms, best.norms(), monitor.running());
    best.move(setbacks.improved(), trial, norms);
    best_r = detail::select_rows(setbacks.improved(), trial_r, best_r);
    const bool more = monitor.update(best.z().view(shape), best.norms());
    if (left) left->follow(inverse);
    if (!more) break;
    inverse.update(trial - z, r - trial_r);
    z = detail::select_rows(setbacks.failed(), best.z(), trial);
    r = detail::select_rows(setbacks.failed(), best_r, trial_r);
    if (std::ranges::count(setbacks.failed(), 1) > 0) begin_at(setbacks.failed(), z);
  }
  if (left) left->leave(inverse);
}

}  // namespace stillpoint
