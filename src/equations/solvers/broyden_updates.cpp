#include "equations/solvers/broyden_updates.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace stillpoint::detail {
namespace {

// What is kept of a sample from one step to the next: the step s, p = H r where it began, q = H r⁺ by the
// same H where it ended, the r where the next step begins, the r of the best iterate, and room for one vector
// more. H changes only through its new update, so that H (r − r⁺) = p − q, and H r⁺ by the new H, for the
// next step, is q + u (s · q): neither is computed again.
enum Work : std::int64_t { kStep, kBefore, kAfter, kResidual, kBestResidual, kSpare, kWork };

// out = H₀ᵀ x for one row; a start that is null is the identity.
template <class T>
void transposed_start_times(const T* start, std::int64_t width, const T* x, T* out) {
  if (start == nullptr) {
    std::memcpy(out, x, width * sizeof(T));
  } else {
    const std::vector<double> weights(x, x + width);
    row_kernels<T>().combine(start, width, width, weights.data(), width, nullptr, out);
  }
}

}  // namespace

// One sample of the row kernels' path.
template <class T>
class BroydenUpdates::Row {
 public:
  Row(BroydenUpdates& all, std::int64_t b)
      : width_(all.width_),
        stride_(all.stride_),
        used_(all.used_[b]),
        u_(all.u_.data_ptr<T>() + b * all.memory_ * stride_),
        v_(all.v_.data_ptr<T>() + b * all.memory_ * stride_),
        work_(all.work_.data_ptr<T>() + b * kWork * stride_),
        start_(all.start_.defined() ? all.start_.data_ptr<T>() + b * width_ * width_ : nullptr),
        step_dots_(all.step_dots_.data() + b * all.memory_),
        dots_(all.dots_.data()) {}

  // Forms the residual, and its inner products with the v's on the way.
  void take(const T* z, const T* fz, bool fixed_point, std::int64_t memory) {
    if (used_ == memory) {
      apply_start(work(kResidual), work(kBefore));
      used_ = 0;
    }
    T* r = work(kResidual);
    if (fixed_point) {
      kernels_.store_difference(z, fz, width_, r, work(kSpare), used_ > 0 ? v_ : r, stride_,
                                std::max<std::int64_t>(used_, 1), dots_);
    } else {
      copy(fz, r);
      kernels_.dots(v_, stride_, used_, r, width_, dots_);
    }
  }
  void keep_best() { copy(work(kResidual), work(kBestResidual)); }

  void begin() { used_ = 0; }

  // H r where the best iterate is, from which the next step goes.
  void go_back() {
    copy(work(kBestResidual), work(kResidual));
    apply_start(work(kResidual), work(kBefore));
    kernels_.dots(v_, stride_, used_, work(kResidual), width_, dots_);
    kernels_.combine(u_, stride_, used_, dots_, width_, work(kBefore), work(kBefore));
  }

  void update() {
    T* q = work(kAfter);
    apply_start(work(kResidual), q);
    kernels_.combine(u_, stride_, used_, dots_, width_, q, q);
    double products[2];
    kernels_.dots(work(kBefore), stride_, 2, work(kStep), width_, products);
    const double by_q = products[1];
    const double scale = 1.0 / (products[0] - by_q);
    const double weights[3] = {scale, -scale, scale};
    T* u = u_ + used_ * stride_;
    T* v = v_ + used_ * stride_;
    kernels_.combine(work(kStep), stride_, 3, weights, width_, nullptr, u);
    transposed_start(work(kStep), v);
    kernels_.combine(v_, stride_, used_, step_dots_, width_, v, v);
    double finite[2];  // products with the step show what is not, and squares would overflow sooner
    kernels_.dots(u, stride_, 1, work(kStep), width_, finite);
    kernels_.dots(v, stride_, 1, work(kStep), width_, finite + 1);
    if (std::isfinite(finite[0]) && std::isfinite(finite[1]) && std::isfinite(by_q)) {
      kernels_.combine(u, stride_, 1, &by_q, width_, q, work(kBefore));
    } else {
      std::fill_n(u, width_, T(0));
      std::fill_n(v, width_, T(0));
      copy(q, work(kBefore));
    }
    ++used_;
  }

  void go(const T* from, double length, T* next) {
    kernels_.combine(work(kBefore), stride_, 1, &length, width_, from, next);
    T* s = work(kStep);
    kernels_.store_difference(from, next, width_, s, work(kSpare), used_ > 0 ? u_ : s, stride_,
                              std::max<std::int64_t>(used_, 1), step_dots_);
  }

  std::int64_t used() const { return used_; }

 private:
  T* work(Work which) { return work_ + which * stride_; }
  void copy(const T* from, T* to) { std::memcpy(to, from, width_ * sizeof(T)); }

  void apply_start(const T* x, T* out) {
    if (start_ == nullptr) return copy(x, out);
    std::vector<double> product(width_);
    kernels_.dots(start_, width_, width_, x, width_, product.data());
    for (std::int64_t i = 0; i < width_; ++i) out[i] = static_cast<T>(product[i]);
  }
  void transposed_start(const T* x, T* out) { transposed_start_times(start_, width_, x, out); }

  const RowKernels<T>& kernels_ = row_kernels<T>();
  std::int64_t width_, stride_, used_;
  T *u_, *v_, *work_;
  const T* start_;
  double *step_dots_, *dots_;
};

BroydenUpdates::BroydenUpdates(const at::Tensor& like, std::int64_t memory, Form form)
    : batch_(like.size(0)),
      width_(like.size(1)),
      memory_(memory),
      fixed_point_(form == Form::FixedPoint),
      rows_(has_row_kernels(like)),
      used_(batch_, 0) {
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

void BroydenUpdates::set_start(const Mask& mark, const at::Tensor& inverse) {
  if (start_.defined()) {
    copy_rows(mark, inverse.contiguous(), start_);
  } else {
    start_ = inverse.clone(at::MemoryFormat::Contiguous);
  }
}

at::Tensor BroydenUpdates::step(const at::Tensor& z, const at::Tensor& fz, const at::Tensor& best,
                                const Marks& marks, const std::vector<double>& lengths) {
  if (!rows_) return step_batch(z, fz, best, marks, lengths);
  at::Tensor next = recycler_.take(z);
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "broyden",
                             [&] { step_rows<scalar_t>(z, fz, best, marks, lengths, next); });
  return next;
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
    Row<T> row(*this, b);
    if (marks.better[b] || !marks.begins[b]) row.take(z_data + at, fz_data + at, fixed_point_, memory_);
    if (marks.better[b]) row.keep_best();
    if (marks.begins[b]) {
      row.begin();
    } else {
      row.update();
    }
    if (marks.returns[b]) row.go_back();
    row.go((marks.returns[b] ? best_data : z_data) + at, lengths[b], next_data + at);
    used_[b] = row.used();
  }
}

at::Tensor BroydenUpdates::step_batch(const at::Tensor& z, const at::Tensor& fz, const at::Tensor& best,
                                      const Marks& marks, const std::vector<double>& lengths) {
  Mask updates(batch_);
  for (std::int64_t b = 0; b < batch_; ++b) updates[b] = marks.running[b] && !marks.begins[b];
  const auto part = [&](Work which) { return work_.select(1, which); };
  drop_full(updates);
  const at::Tensor r = fixed_point_ ? widened(fz) - widened(z) : widened(fz);
  const at::Tensor s = part(kStep);
  const at::Tensor q = times(start_times(r, false), u_, v_, r);
  const at::Tensor by_q = row_dot(s, q);
  const at::Tensor u = (s - part(kBefore) + q) / (row_dot(s, part(kBefore)) - by_q);
  const at::Tensor v = transposed_times(s);
  const at::Tensor usable = at::isfinite(row_dot(u, s)) & at::isfinite(row_dot(v, s)) & at::isfinite(by_q);
  append(updates, at::where(usable, u, 0), at::where(usable, v, 0));
  for (std::int64_t b = 0; b < batch_; ++b) {
    if (marks.running[b] && marks.begins[b]) used_[b] = 0;
  }

  part(kBestResidual).copy_(select_rows(marks.better, r, part(kBestResidual)));
  part(kResidual).copy_(select_rows(marks.returns, part(kBestResidual), r));
  at::Tensor p = at::where(usable, q + u * by_q, q);
  if (marks.returns.any()) {
    const at::Tensor back = part(kBestResidual);
    p = select_rows(marks.returns, times(start_times(back, false), u_, v_, back), p);
  }
  const at::Tensor from = select_rows(marks.returns, best, z);
  const at::Tensor further = narrowed(from + p * to_column(lengths, p), z.scalar_type());
  at::Tensor next = select_rows(marks.running, further, z);
  part(kBefore).copy_(p);
  part(kStep).copy_(widened(next) - widened(from));
  return next;
}

// Those that have no room for the next update begin again at H₀, and p follows.
void BroydenUpdates::drop_full(const Mask& updates) {
  Mask full(batch_);
  for (std::int64_t b = 0; b < batch_; ++b) {
    full[b] = updates[b] && used_[b] == memory_;
    if (full[b]) used_[b] = 0;
  }
  if (!full.any()) return;
  at::Tensor p = work_.select(1, kBefore);
  p.copy_(select_rows(full, start_times(work_.select(1, kResidual), false), p));
}

void BroydenUpdates::append(const Mask& updates, const at::Tensor& u, const at::Tensor& v) {
  const at::Tensor slots = at::tensor(used_, at::kLong).to(u.device()).view({batch_, 1, 1});
  const at::Tensor mask = at::arange(memory_, slots.options()).view({1, memory_, 1}) == slots;
  const at::Tensor chosen = mask & to_mask(updates, u_);
  u_ = at::where(chosen, u.unsqueeze(1), u_);
  v_ = at::where(chosen, v.unsqueeze(1), v_);
  for (std::int64_t b = 0; b < batch_; ++b) used_[b] += updates[b];
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
