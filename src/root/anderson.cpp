#include "stillpoint/root/anderson.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/rows.h"

namespace stillpoint {
namespace {

constexpr std::int64_t kMaxMemory = 32;

// What one sample remembers, apart from its vectors: which slots hold evaluations, oldest first, and the
// inner products of their residuals. It decides whether an evaluation is accepted and how the next iterate is
// mixed.
class Sample {
 public:
  explicit Sample(std::int64_t memory) : memory_(memory), gram_(memory * memory) { slots_.reserve(memory); }

  /// Where the next evaluation goes: a free slot, else the oldest.
  std::int64_t next_slot() const {
    if (static_cast<std::int64_t>(slots_.size()) == memory_) return slots_.front();
    std::int64_t slot = 0;
    while (std::find(slots_.begin(), slots_.end(), slot) != slots_.end()) ++slot;
    return slot;
  }

  /// Takes in the evaluation in `slot`; dots[j] is the inner product of its residual with that in slot j.
  /// Writes a weight for each slot, zero where there is nothing. False if it has nothing finite to mix.
  bool weigh(std::int64_t slot, const double* dots, double regularization, double* weights) {
    std::fill_n(weights, memory_, 0.0);
    if (static_cast<std::int64_t>(slots_.size()) == memory_) slots_.erase(slots_.begin());
    const double square = dots[slot];
    if (rejected(square)) {
      if (slots_.empty()) return false;
      slots_.assign(1, slots_.back());
      plain_ = true;
      weights[slots_[0]] = 1.0;
      return true;
    }
    slots_.push_back(slot);
    square_ = square;
    for (const std::int64_t j : slots_) gram_[slot * memory_ + j] = gram_[j * memory_ + slot] = dots[j];
    plain_ = slots_.size() == 1 || !minimize(regularization, weights);
    if (plain_) {
      std::fill_n(weights, memory_, 0.0);
      weights[slot] = 1.0;
    }
    return true;
  }

 private:
  // A mixed step must not enlarge the residual, as long as plain steps do not either.
  bool rejected(double square) {
    if (!std::isfinite(square)) return true;
    if (square <= square_ || !contracts_) return false;
    if (plain_) contracts_ = false;
    return !plain_;
  }

  // argmin ‖Σ α_j r_j‖² + regularization Σ α_j² ‖r_j‖² with Σ α_j = 1: the Gram matrix scaled to unit
  // diagonal, by Cholesky. Weights fall out of C y = s with s_j = 1 / ‖r_j‖ as α_j ∝ s_j y_j.
  bool minimize(double regularization, double* weights) const {
    const auto n = static_cast<std::int64_t>(slots_.size());
    double c[kMaxMemory * kMaxMemory];
    double s[kMaxMemory];
    double y[kMaxMemory];
    for (std::int64_t i = 0; i < n; ++i) s[i] = 1.0 / std::sqrt(gram(i, i));
    for (std::int64_t i = 0; i < n; ++i) {
      y[i] = s[i];
      for (std::int64_t j = 0; j <= i; ++j) {
        double sum = gram(i, j) * s[i] * s[j] + (i == j ? regularization : 0.0);
        for (std::int64_t k = 0; k < j; ++k) sum -= c[i * n + k] * c[j * n + k];
        if (i != j) {
          c[i * n + j] = sum / c[j * n + j];
        } else if (sum > 0.0) {
          c[i * n + i] = std::sqrt(sum);
        } else {
          return false;
        }
      }
      for (std::int64_t k = 0; k < i; ++k) y[i] -= c[i * n + k] * y[k];
      y[i] /= c[i * n + i];
    }
    double total = 0.0;
    for (std::int64_t i = n - 1; i >= 0; --i) {
      for (std::int64_t k = i + 1; k < n; ++k) y[i] -= c[k * n + i] * y[k];
      y[i] /= c[i * n + i];
      total += s[i] * y[i];
    }
    for (std::int64_t i = 0; i < n; ++i) weights[slots_[i]] = s[i] * y[i] / total;
    return std::all_of(weights, weights + memory_, [](double w) { return std::isfinite(w); });
  }

  double gram(std::int64_t i, std::int64_t j) const { return gram_[slots_[i] * memory_ + slots_[j]]; }

  std::int64_t memory_;
  std::vector<double> gram_;                                 // by slot
  std::vector<std::int64_t> slots_;                          // in use, oldest first
  double square_ = std::numeric_limits<double>::infinity();  // ‖r‖² of the newest accepted evaluation
  bool plain_ = true;      // the step to the evaluation that comes next is an unmixed one
  bool contracts_ = true;  // no plain step has enlarged the residual yet
};

// The evaluations f(z) and residuals f(z) − z remembered for a batch, and the step they lead to.
class History {
 public:
  History(const at::Tensor& like, std::int64_t memory, double mixing, double regularization)
      : batch_(like.size(0)),
        width_(detail::row_width(like)),
        memory_(memory),
        mixing_(mixing),
        regularization_(regularization),
        samples_(batch_, Sample(memory)) {
    values_ = at::zeros({batch_, memory_, width_}, like.options());
    residuals_ = at::zeros({batch_, memory_, width_}, like.options());
  }

  /// The next iterate from z and fz = f(z), whose norms are written on the way.
  at::Tensor step(const at::Tensor& z, const at::Tensor& fz, Norm norm, const Monitor& monitor,
                  RowNorms& norms) {
    norms.residual.resize(batch_);
    norms.scale.resize(batch_);
    at::Tensor next = at::empty_like(z);
    if (detail::has_row_kernels(z)) {
      AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "anderson",
                                 [&] { step_rows<scalar_t>(z, fz, norm, monitor, norms, next); });
    } else {
      next = step_batch(z, fz, norm, monitor, norms);
    }
    if (norm == Norm::Maximum) residual_norms(z, fz, norm, norms);
    return next;
  }

 private:
  // Row by row, so that the history of a sample is read from memory once.
  template <class T>
  void step_rows(const at::Tensor& z, const at::Tensor& fz, Norm norm, const Monitor& monitor,
                 RowNorms& norms, at::Tensor& next) {
    const auto& kernels = detail::row_kernels<T>();
    const double unit = detail::scale_norm(1.0, norm, width_);
    double dots[kMaxMemory];
    double weights[kMaxMemory];
    double negated[kMaxMemory];
    for (std::int64_t b = 0; b < batch_; ++b) {
      const T* zb = z.data_ptr<T>() + b * width_;
      const T* fb = fz.data_ptr<T>() + b * width_;
      T* out = next.data_ptr<T>() + b * width_;
      if (!monitor.running(b)) {
        std::memcpy(out, zb, width_ * sizeof(T));
        norms.residual[b] = norms.scale[b] = 0.0;
        continue;
      }
      T* values = values_.data_ptr<T>() + b * memory_ * width_;
      T* residuals = residuals_.data_ptr<T>() + b * memory_ * width_;
      const std::int64_t slot = samples_[b].next_slot();
      written_ = std::max(written_, slot + 1);
      T* r = residuals + slot * width_;
      const double zz = kernels.store_difference(zb, fb, width_, r, values + slot * width_);
      kernels.dots(residuals, width_, written_, r, width_, dots);
      norms.residual[b] = unit * std::sqrt(dots[slot]);
      norms.scale[b] = unit * std::sqrt(zz);
      if (!std::isfinite(dots[slot])) {
        std::fill_n(values + slot * width_, width_, T(0));  // 0 · NaN is NaN
        std::fill_n(r, width_, T(0));
      }
      if (!samples_[b].weigh(slot, dots, regularization_, weights)) {
        std::memcpy(out, zb, width_ * sizeof(T));
        continue;
      }
      std::memset(out, 0, width_ * sizeof(T));
      kernels.combine(values, width_, written_, weights, width_, out);
      if (mixing_ != 1.0) {
        for (std::int64_t j = 0; j < written_; ++j) negated[j] = (mixing_ - 1.0) * weights[j];
        kernels.combine(residuals, width_, written_, negated, width_, out);
      }
    }
  }

  at::Tensor step_batch(const at::Tensor& z, const at::Tensor& fz, Norm norm, const Monitor& monitor,
                        RowNorms& norms) {
    const at::Tensor zr = z.reshape({batch_, width_});
    const at::Tensor fr = fz.reshape({batch_, width_});
    const at::Tensor difference = fr - zr;
    const at::Tensor finite = at::isfinite(difference.square().sum(1, true));
    const at::Tensor zero = at::zeros({}, z.options());

    std::vector<std::int64_t> slots(batch_);
    for (std::int64_t b = 0; b < batch_; ++b) slots[b] = samples_[b].next_slot();
    const at::Tensor index =
        at::tensor(slots, at::kLong).view({batch_, 1, 1}).to(z.device()).expand({batch_, 1, width_});
    residuals_.scatter_(1, index, at::where(finite, difference, zero).unsqueeze(1));
    values_.scatter_(1, index, at::where(finite, fr, zero).unsqueeze(1));

    const at::Tensor products = at::bmm(residuals_, difference.unsqueeze(2)).squeeze(2);  // [B, memory]
    const at::Tensor squares = at::stack({difference.square().sum(1), zr.square().sum(1)}, 1);
    const std::vector<double> host = detail::to_host(at::cat({products, squares}, 1));
    const double unit = detail::scale_norm(1.0, norm, width_);
    std::vector<double> weights(batch_ * memory_, 0.0);
    std::vector<std::uint8_t> mixed(batch_, 0);
    for (std::int64_t b = 0; b < batch_; ++b) {
      std::vector<double> dots(host.begin() + b * (memory_ + 2), host.begin() + (b + 1) * (memory_ + 2));
      norms.residual[b] = unit * std::sqrt(dots[memory_]);
      norms.scale[b] = unit * std::sqrt(dots[memory_ + 1]);
      if (!monitor.running(b)) continue;
      dots[slots[b]] = dots[memory_];
      mixed[b] = samples_[b].weigh(slots[b], dots.data(), regularization_, &weights[b * memory_]);
    }
    const at::Tensor w = at::tensor(weights, at::kDouble).view({batch_, 1, memory_}).to(z.options());
    at::Tensor next = at::bmm(w, values_).squeeze(1);
    if (mixing_ != 1.0) next = next - at::bmm(w, residuals_).squeeze(1) * (1.0 - mixing_);
    return detail::select_rows(mixed, next.view(z.sizes()), z);
  }

  std::int64_t batch_;
  std::int64_t width_;
  std::int64_t memory_;
  double mixing_;
  double regularization_;
  std::vector<Sample> samples_;
  std::int64_t written_ = 0;  // slots below this have been written for some sample
  at::Tensor values_;         // [B, memory, N]
  at::Tensor residuals_;      // [B, memory, N]
};

// The inner products are rounded in the dtype of the state; what they cannot tell apart should not be
// resolved.
double default_regularization(c10::ScalarType dtype) { return dtype == at::kDouble ? 1e-12 : 1e-6; }

}  // namespace

void Anderson::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(memory >= 1 && memory <= kMaxMemory, "Anderson.memory: expected a number in [1, ", kMaxMemory,
              "], got ", memory);
  TORCH_CHECK(mixing > 0.0 && mixing <= 1.0, "Anderson.mixing: expected a number in (0, 1], got ", mixing);
  const double lambda = regularization.value_or(default_regularization(z0.scalar_type()));
  TORCH_CHECK(lambda >= 0.0, "Anderson.regularization: expected a number ≥ 0, got ", lambda);
  History history(z0, memory, mixing, lambda);
  RowNorms norms;
  at::Tensor z = z0;
  while (true) {
    const at::Tensor fz = f(z);
    at::Tensor next = history.step(z, fz, monitor.tolerance().norm, monitor, norms);
    if (!monitor.update(z, norms)) return;
    z = std::move(next);
  }
}

}  // namespace stillpoint
