#include "equations/solvers/broyden_updates.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cstring>
#include <utility>

#include "equations/solvers/broyden_arithmetic.h"

namespace stillpoint::detail {

// From r⁺, where the step has led: H changes only through its new update, so that H (r − r⁺) = p − q, and
// H r⁺ by the new H, for the next step, is q + u (s · q). Neither is computed again.
template <class Samples>
void BroydenUpdates::take_in_update(Samples& samples) {
  samples.apply(kResidual, kAfter);                        // q = H r⁺
  const auto [by_p, by_q] = samples.products_with_step();  // s · p, s · q
  samples.form_u(by_p - by_q);                             // u = (s − p + q) / (s · p − s · q)
  samples.form_v();                                        // v = Hᵀ s
  samples.append(by_q);                                    // and p = q + u (s · q)
}

template <class Samples>
void BroydenUpdates::advance(Samples& samples, const Marks& marks) {
  take_in_update(samples);
  samples.where(marks.better, [&] { samples.keep_best(); });
  samples.where(marks.begins, [&] { samples.drop(); });
  samples.where(marks.returns, [&] {
    samples.restore_best();
    samples.apply(kResidual, kBefore);
  });
}

BroydenUpdates::BroydenUpdates(const at::Tensor& like, std::int64_t memory, Form form, at::Tensor start)
    : batch_(like.size(0)),
      width_(like.size(1)),
      memory_(memory),
      fixed_point_(form == Form::FixedPoint),
      rows_(has_row_kernels(like)),
      used_(batch_, 0),
      start_(std::move(start)) {
  if (start_.defined()) start_ = start_.contiguous();
  constexpr std::int64_t cache_line = 64;  // bytes
  const std::int64_t line = cache_line / static_cast<std::int64_t>(like.element_size());
  stride_ = rows_ ? (width_ + line - 1) / line * line : width_;
  const std::vector<std::int64_t> shape{batch_, memory_, stride_};
  // The kernels read written slots only; the ATen path takes all of them, with weights of zero.
  const at::TensorOptions wide = widened(like).options();
  u_ = rows_ ? at::empty(shape, wide) : at::zeros(shape, wide);
  v_ = rows_ ? at::empty(shape, wide) : at::zeros(shape, wide);
  work_ = at::zeros({batch_, kWork, stride_}, wide);
  if (rows_) step_dots_.resize(batch_ * memory_);
  if (rows_) dots_.resize(memory_);
}

void BroydenUpdates::renew_start(const Mask& mark, const at::Tensor& start) {
  start_ = select_rows(mark, start.contiguous(), start_);
}

at::Tensor BroydenUpdates::step(const at::Tensor& z, const at::Tensor& fz, const at::Tensor& best,
                                const Marks& marks, const std::vector<double>& lengths) {
  if (rows_) {
    at::Tensor next = recycler_.take(z);
    AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "broyden",
                               [&] { step_rows<scalar_t>(z, fz, best, marks, lengths, next); });
    return next;
  }
  Batch samples(*this, marks.running);
  samples.take(z, fz);
  advance(samples, marks);
  return samples.go(z, select_rows(marks.returns, best, z), lengths);
}

template <class T>
void BroydenUpdates::step_rows(const at::Tensor& z, const at::Tensor& fz, const at::Tensor& best,
                               const Marks& marks, const std::vector<double>& lengths, at::Tensor& next) {
  const T* z_data = z.data_ptr<T>();
  const T* fz_data = fz.data_ptr<T>();
  const T* best_data = best.data_ptr<T>();
  T* next_data = next.data_ptr<T>();
  for (std::int64_t b = 0; b < batch_; ++b) {
    const std::int64_t at = b * width_;
    if (!marks.running[b]) {
      std::memcpy(next_data + at, z_data + at, width_ * sizeof(T));
      continue;
    }
    Row<T> sample(*this, b);
    sample.take(z_data + at, fz_data + at);
    advance(sample, marks);
    sample.go((marks.returns[b] ? best_data : z_data) + at, lengths[b], next_data + at);
  }
}

at::Tensor BroydenUpdates::start_times(const at::Tensor& x, bool transposed) const {
  if (!start_.defined()) return x;
  const at::Tensor matrix = transposed ? start_.transpose(1, 2) : start_;
  return matrix_times(matrix, x);
}

// first + Σ leftⱼ (rightⱼ · x)
at::Tensor BroydenUpdates::times(const at::Tensor& first, const at::Tensor& left, const at::Tensor& right,
                                 const at::Tensor& x) const {
  const at::Tensor counts = at::tensor(used_, at::kLong).to(x.device()).view({batch_, 1, 1});
  const at::Tensor mask = at::arange(memory_, counts.options()).view({1, memory_, 1}) < counts;
  const at::Tensor weights = at::where(mask, at::bmm(right, x.unsqueeze(2)), 0);
  return first + at::bmm(weights.transpose(1, 2), left).squeeze(1);
}

at::Tensor BroydenUpdates::transposed_times(const at::Tensor& x) const {
  if (!rows_) {
    const at::Tensor wide = widened(x);
    return narrowed(times(start_times(wide, true), v_, u_, wide), x.scalar_type());
  }
  at::Tensor out = at::empty(x.sizes(), x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "broyden",
                             [&] { transposed_rows<scalar_t>(x.contiguous(), out); });
  return out;
}

template <class T>
void BroydenUpdates::transposed_rows(const at::Tensor& x, at::Tensor& out) const {
  const auto& kernels = row_kernels<T>();
  std::vector<double> dots(memory_);
  for (std::int64_t b = 0; b < batch_; ++b) {
    const T* row = x.data_ptr<T>() + b * width_;
    T* result = out.data_ptr<T>() + b * width_;
    const std::int64_t first = b * memory_ * stride_;
    kernels.dots(u_.data_ptr<T>() + first, stride_, used_[b], row, width_, dots.data());
    transposed_start_times(start_.defined() ? start_.data_ptr<T>() + b * width_ * width_ : nullptr, width_,
                           row, result);
    kernels.combine(v_.data_ptr<T>() + first, stride_, used_[b], dots.data(), width_, result, result);
  }
}

void BroydenUpdates::settle() {
  work_ = work_.narrow(0, 0, 0).clone();
  step_dots_.clear();
  recycler_ = {};
}

}  // namespace stillpoint::detail
