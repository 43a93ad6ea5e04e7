#include "stillpoint/equations/solvers/anderson.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/rows/rows.h"

namespace stillpoint {
namespace {

using detail::kLanes;
using detail::kMaxMemory;

constexpr std::int64_t kCacheLine = 64;  // bytes

// What is known of one sample beside its vectors and their inner products, and the safeguard that rests on
// it: mixed steps have to do better than plain ones, as far as those are known.
struct Sample {
  double square = std::numeric_limits<double>::infinity();  // ‖r‖² of the newest accepted evaluation
  double plain_gain =
      std::numeric_limits<double>::infinity();  // the factor by which the last plain step changed it
  std::int64_t newest = -1;                     // slot of that evaluation; −1 if there is none
  std::int64_t count = 0;                       // accepted evaluations that are remembered
  bool plain = true;      // the step to the evaluation that comes next is an unmixed one
  bool poor = false;      // the last step was a mixed one, and a plain one promised more
  bool contracts = true;  // no plain step has enlarged the residual yet

  // A mixed step must not enlarge the residual, as long as plain steps do not either.
  bool rejects(double next_square) {
    if (!std::isfinite(next_square)) return true;
    if (next_square <= square || !contracts) return false;
    if (plain) contracts = false;
    return !plain;
  }

  void accept(std::int64_t slot, double next_square) {
    const double gain = next_square / square;
    if (plain && newest >= 0) plain_gain = gain;
    poor = !plain && contracts && gain > plain_gain;
    square = next_square;
    newest = slot;
    ++count;
  }
};

// The inner products of the residuals of all samples, and the weights that they lead to. Samples are kept in
// blocks of kLanes, so that the small systems of a block are solved together.
class Weights {
 public:
  Weights(std::int64_t batch, std::int64_t memory, double regularization)
      : lanes_(batch < kLanes ? 1 : kLanes),
        memory_(memory),
        regularization_(regularization),
        solve_(detail::mix_weights(lanes_)),
        samples_(batch) {
    const std::int64_t padded = (batch + lanes_ - 1) / lanes_ * lanes_;
    gram_.resize(padded * memory * memory);
    inverse_norms_.resize(padded * memory);
    weights_.resize(padded * memory);
  }

  /// Samples are solved for in blocks of this many.
  std::int64_t lanes() const { return lanes_; }

  /// Takes in the evaluation of sample b in `slot`; dots[j] is the inner product of its residual with that in
  /// slot j.
  void take(std::int64_t b, std::int64_t slot, const double* dots) {
    Sample& sample = samples_[b];
    double* inverse_norms = &inverse_norms_[lane(b, memory_)];
    sample.count -= inverse_norms[slot * lanes_] != 0.0;
    inverse_norms[slot * lanes_] = 0.0;
    if (sample.rejects(dots[slot])) {
      for (std::int64_t j = 0; j < memory_; ++j) {
        if (j != sample.newest) inverse_norms[j * lanes_] = 0.0;
      }
      if (sample.newest == slot) sample.newest = -1;
      sample.count = sample.newest >= 0;
      return;
    }
    double* gram = &gram_[lane(b, memory_ * memory_)];
    for (std::int64_t j = 0; j < memory_; ++j) {
      gram[(std::max(slot, j) * memory_ + std::min(slot, j)) * lanes_] = dots[j];
    }
    inverse_norms[slot * lanes_] = 1.0 / std::sqrt(dots[slot]);
    sample.accept(slot, dots[slot]);
  }

  /// Solves for the weights of samples first … first + lanes − 1; `first` is a multiple of lanes.
  void solve(std::int64_t first) {
    solve_(&gram_[lane(first, memory_ * memory_)], &inverse_norms_[lane(first, memory_)], memory_,
           regularization_, &weights_[lane(first, memory_)]);
  }

  /// Writes the weight of each slot for sample b; false if it has nothing finite to mix.
  bool get(std::int64_t b, double* weights) {
    Sample& sample = samples_[b];
    if (sample.newest < 0) return false;
    const double* solved = &weights_[lane(b, memory_)];
    double sum = 0.0;
    for (std::int64_t j = 0; j < memory_; ++j) sum += weights[j] = solved[j * lanes_];
    sample.plain = sample.count == 1 || sample.poor || !std::isfinite(sum);
    if (sample.plain) {
      std::fill_n(weights, memory_, 0.0);
      weights[sample.newest] = 1.0;
    }
    return true;
  }

 private:
  // Where the numbers of sample b begin, in an array with `size` numbers a sample.
  std::int64_t lane(std::int64_t b, std::int64_t size) const {
    return b / lanes_ * size * lanes_ + b % lanes_;
  }

  std::int64_t lanes_;
  std::int64_t memory_;
  double regularization_;
  detail::MixWeights solve_;
  std::vector<Sample> samples_;
  std::vector<double> gram_;           // r_i · r_j for j ≤ i
  std::vector<double> inverse_norms_;  // 1 / ‖r_j‖; 0 for slots that do not count
  std::vector<double> weights_;
};

// An inner product in double, for residuals whose squares overflow or underflow in float.
template <class T>
double wide_dot(const T* x, const T* y, std::int64_t width) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < width; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return sum;
}

// The evaluations f(z) and residuals f(z) − z remembered for a batch, and the step they lead to.
class History {
 public:
  History(const at::Tensor& like, std::int64_t memory, double mixing, double regularization)
      : batch_(like.size(0)),
        width_(detail::row_width(like)),
        memory_(memory),
        mixing_(mixing),
        weights_(batch_, memory, regularization) {
    const std::int64_t line = kCacheLine / static_cast<std::int64_t>(like.element_size());
    // The kernels read written slots only; the ATen path takes all of them, with weights of zero.
    const bool rows = detail::has_row_kernels(like);
    stride_ = rows ? (width_ + line - 1) / line * line : width_;
    const std::vector<std::int64_t> shape{batch_, 2, memory_, stride_};
    const at::Tensor both = rows ? at::empty(shape, like.options()) : at::zeros(shape, like.options());
    values_ = both.select(1, 0);
    residuals_ = both.select(1, 1);
  }

  /// The next iterate from z and fz = f(z), whose norms are written on the way.
  at::Tensor step(const at::Tensor& z, const at::Tensor& fz, const Monitor& monitor, RowNorms& norms) {
    norms.residual.resize(batch_);
    norms.scale.resize(batch_);
    const Norm norm = monitor.tolerance().norm;
    const double unit = detail::scale_norm(1.0, norm, width_);
    at::Tensor next;
    if (detail::has_row_kernels(z)) {
      next = recycler_.take(z);
      AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "anderson",
                                 [&] { step_rows<scalar_t>(z, fz, unit, monitor, norms, next); });
    } else {
      next = step_batch(z, fz, unit, monitor, norms);
    }
    if (norm == Norm::Maximum) residual_norms(z, fz, norm, norms);
    slot_ = (slot_ + 1) % memory_;
    return next;
  }

 private:
  // Few rows at a time, so that the history of a sample is read from memory once.
  template <class T>
  void step_rows(const at::Tensor& z, const at::Tensor& fz, double unit, const Monitor& monitor,
                 RowNorms& norms, at::Tensor& next) {
    written_ = std::max(written_, slot_ + 1);
    const T* z_data = z.data_ptr<T>();
    const T* fz_data = fz.data_ptr<T>();
    T* next_data = next.data_ptr<T>();
    T* values = values_.data_ptr<T>();
    T* residuals = residuals_.data_ptr<T>();
    const std::int64_t size = 2 * memory_ * stride_;
    for (std::int64_t first = 0; first < batch_; first += weights_.lanes()) {
      const std::int64_t last = std::min(first + weights_.lanes(), batch_);
      for (std::int64_t b = first; b < last; ++b) {
        norms.residual[b] = norms.scale[b] = 0.0;
        if (!monitor.running(b)) continue;
        remember(b, z_data + b * width_, fz_data + b * width_, values + b * size, residuals + b * size, unit,
                 norms);
      }
      weights_.solve(first);
      for (std::int64_t b = first; b < last; ++b) {
        T* out = next_data + b * width_;
        if (!monitor.running(b) || !mix(b, values + b * size, residuals + b * size, out)) {
          std::memcpy(out, z_data + b * width_, width_ * sizeof(T));
        }
      }
    }
  }

  template <class T>
  void remember(std::int64_t b, const T* z, const T* fz, T* values, T* residuals, double unit,
                RowNorms& norms) {
    const auto& kernels = detail::row_kernels<T>();
    T* r = residuals + slot_ * stride_;
    T* value = values + slot_ * stride_;
    double dots[kMaxMemory];
    const double square =
        kernels.store_difference(z, fz, width_, r, value, residuals, stride_, written_, dots);
    norms.scale[b] = unit * std::sqrt(square);
    norms.residual[b] = unit * std::sqrt(dots[slot_]);
    if (!detail::is_safe_square<T>(square, width_)) {
      norms.scale[b] = unit * detail::scaled_norm<T>(z, nullptr, width_);
    }
    if (!detail::is_safe_square<T>(dots[slot_], width_)) {
      norms.residual[b] = unit * detail::scaled_norm<T>(r, nullptr, width_);
      for (std::int64_t j = 0; j < written_; ++j) dots[j] = wide_dot(residuals + j * stride_, r, width_);
    }
    std::fill(dots + written_, dots + memory_, 0.0);
    if (!std::isfinite(dots[slot_])) {
      std::fill_n(value, width_, T(0));  // 0 · NaN is NaN
      std::fill_n(r, width_, T(0));
    }
    weights_.take(b, slot_, dots);
  }

  template <class T>
  bool mix(std::int64_t b, const T* values, const T* residuals, T* out) {
    const auto& kernels = detail::row_kernels<T>();
    double weights[kMaxMemory];
    if (!weights_.get(b, weights)) return false;
    kernels.combine(values, stride_, written_, weights, width_, nullptr, out);
    if (mixing_ != 1.0) {
      for (std::int64_t j = 0; j < written_; ++j) weights[j] *= mixing_ - 1.0;
      kernels.combine(residuals, stride_, written_, weights, width_, out, out);
    }
    return true;
  }

  at::Tensor step_batch(const at::Tensor& z, const at::Tensor& fz, double unit, const Monitor& monitor,
                        RowNorms& norms) {
    const at::Tensor zr = z.reshape({batch_, width_});
    const at::Tensor fr = fz.reshape({batch_, width_});
    const at::Tensor difference = fr - zr;
    const at::Tensor finite = at::isfinite(difference).all(1, /*keepdim=*/true);
    const at::Tensor zero = at::zeros({}, z.options());
    residuals_.select(1, slot_).copy_(at::where(finite, difference, zero));
    values_.select(1, slot_).copy_(at::where(finite, fr, zero));
    const std::vector<double> host = inner_products(zr, difference);
    RowNorms scaled;
    for (std::int64_t b = 0; b < batch_; ++b) {
      std::vector<double> dots(host.begin() + b * (memory_ + 2), host.begin() + (b + 1) * (memory_ + 2));
      norms.residual[b] = unit * std::sqrt(dots[memory_]);
      norms.scale[b] = unit * std::sqrt(dots[memory_ + 1]);
      if (!is_safe(dots[memory_]) || !is_safe(dots[memory_ + 1])) {
        if (scaled.scale.empty()) residual_norms(z, fz, monitor.tolerance().norm, scaled);
        norms.residual[b] = scaled.residual[b];
        norms.scale[b] = scaled.scale[b];
      }
      dots[slot_] = dots[memory_];
      if (monitor.running(b)) weights_.take(b, slot_, dots.data());
    }
    for (std::int64_t first = 0; first < batch_; first += weights_.lanes()) weights_.solve(first);
    std::vector<double> weights(batch_ * memory_, 0.0);
    Mask mixed(batch_, 0);
    for (std::int64_t b = 0; b < batch_; ++b) {
      mixed[b] = monitor.running(b) && weights_.get(b, &weights[b * memory_]);
    }
    const at::Tensor w = at::tensor(weights, at::kDouble).view({batch_, 1, memory_}).to(z.options());
    at::Tensor next = at::bmm(w, values_).squeeze(1);
    if (mixing_ != 1.0) next = next - at::bmm(w, residuals_).squeeze(1) * (1.0 - mixing_);
    return detail::select_rows(mixed, next.view(z.sizes()), z);
  }

  bool is_safe(double square) const {
    return values_.scalar_type() == at::kDouble ? detail::is_safe_square<double>(square, width_)
                                                : detail::is_safe_square<float>(square, width_);
  }

  // For each sample those of its residual with all that are remembered, and the squares of the residual and
  // of z; in double where the residual's own square overflows or underflows.
  std::vector<double> inner_products(const at::Tensor& z, const at::Tensor& difference) const {
    const auto taken_in = [&](at::ScalarType dtype) {
      const at::Tensor r = difference.to(dtype);
      const at::Tensor products = at::bmm(residuals_.to(dtype), r.unsqueeze(2)).squeeze(2);  // [B, memory]
      const at::Tensor scale = z.to(dtype).square().sum(1, true);
      return detail::to_host(at::cat({products, r.square().sum(1, true), scale}, 1));
    };
    std::vector<double> host = taken_in(z.scalar_type());
    std::vector<double> wide;
    const std::int64_t size = memory_ + 2;
    for (std::int64_t b = 0; b < batch_; ++b) {
      if (is_safe(host[b * size + memory_])) continue;
      if (wide.empty()) wide = taken_in(at::kDouble);
      std::copy_n(wide.begin() + b * size, size, host.begin() + b * size);
    }
    return host;
  }

  std::int64_t batch_;
  std::int64_t width_;
  std::int64_t stride_;  // from one remembered vector to the next: whole cache lines, for aligned loads
  std::int64_t memory_;
  double mixing_;
  Weights weights_;
  detail::Recycler recycler_;
  std::int64_t slot_ = 0;     // where the next evaluation goes
  std::int64_t written_ = 0;  // slots in use
  at::Tensor values_;         // [B, memory, stride], next to
  at::Tensor residuals_;      // [B, memory, stride]: those of a sample follow its values
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
  // One evaluation more than a sample has numbers determines the step; of more than that the residuals alone
  // do not tell the weights, and a last digit would decide.
  const std::int64_t useful = std::min(memory, detail::row_width(z0) + 1);
  History history(detail::widened(z0), useful, mixing, lambda);
  RowNorms norms;
  at::Tensor z = z0;
  while (true) {
    const at::Tensor fz = f(z);
    const at::Tensor wide = history.step(detail::widened(z), detail::widened(fz), monitor, norms);
    at::Tensor next = detail::narrowed(wide, z0.scalar_type());
    if (!monitor.update(std::move(z), norms)) return;
    z = std::move(next);
  }
}

}  // namespace stillpoint
