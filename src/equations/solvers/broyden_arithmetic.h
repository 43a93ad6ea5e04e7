#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "core/rows/rows.h"
#include "equations/solvers/broyden_updates.h"

// What the recurrence of Broyden's updates is made of. `Row` and `Batch` have the same operations; those
// within `where` are done for the marked samples alone.
namespace stillpoint::detail {

/// out = H₀ᵀ x for one row; a start that is null is the identity.
template <class T>
void transposed_start_times(const T* start, std::int64_t width, const T* x, T* out) {
  if (start == nullptr) {
    std::memcpy(out, x, width * sizeof(T));
  } else {
    const std::vector<double> weights(x, x + width);
    row_kernels<T>().combine(start, width, width, weights.data(), width, nullptr, out);
  }
}

/// One sample, which is running, with the row kernels.
template <class T>
class BroydenUpdates::Row {
 public:
  Row(BroydenUpdates& all, std::int64_t b)
      : all_(all),
        b_(b),
        used_(all.used_[b]),
        u_(all.u_.data_ptr<T>() + b * all.memory_ * all.stride_),
        v_(all.v_.data_ptr<T>() + b * all.memory_ * all.stride_),
        work_(all.work_.data_ptr<T>() + b * kWork * all.stride_),
        start_(all.start_.defined() ? all.start_.data_ptr<T>() + b * all.width_ * all.width_ : nullptr),
        step_dots_(all.step_dots_.data() + b * all.memory_),
        dots_(all.dots_.data()) {}

  template <class Then>
  void where(const Mask& mark, const Then& then) const {
    if (mark[b_]) then();
  }

  // Where there is no room for an update, the sample begins again at H₀, and p follows. The residual's inner
  // products with the v's are taken on the way.
  void take(const T* z, const T* fz) {
    if (used_ == all_.memory_) {
      drop();
      start_times(work(kResidual), work(kBefore));
    }
    T* r = work(kResidual);
    if (all_.fixed_point_) {
      kernels_.store_difference(z, fz, all_.width_, r, work(kSpare), used_ > 0 ? v_ : r, all_.stride_,
                                std::max<std::int64_t>(used_, 1), dots_);
    } else {
      copy(fz, r);
      kernels_.dots(v_, all_.stride_, used_, r, all_.width_, dots_);
    }
  }
  void drop() { used_ = 0; }
  void keep_best() { copy(work(kResidual), work(kBestResidual)); }
  void restore_best() {
    copy(work(kBestResidual), work(kResidual));
    kernels_.dots(v_, all_.stride_, used_, work(kResidual), all_.width_, dots_);
  }

  /// H x for the x taken or restored last.
  void apply(Work x, Work out) {
    start_times(work(x), work(out));
    kernels_.combine(u_, all_.stride_, used_, dots_, all_.width_, work(out), work(out));
  }
  std::pair<double, double> products_with_step() {
    static_assert(kAfter == kBefore + 1);
    double products[2];
    kernels_.dots(work(kBefore), all_.stride_, 2, work(kStep), all_.width_, products);
    return {products[0], products[1]};
  }
  void form_u(double denominator) {
    static_assert(kStep + 1 == kBefore && kBefore + 1 == kAfter);
    const double scale = 1.0 / denominator;
    const double weights[3] = {scale, -scale, scale};
    kernels_.combine(work(kStep), all_.stride_, 3, weights, all_.width_, nullptr, new_u());
  }
  void form_v() {
    transposed_start_times(start_, all_.width_, work(kStep), new_v());
    kernels_.combine(v_, all_.stride_, used_, step_dots_, all_.width_, new_v(), new_v());
  }
  void append(double by_q) {
    double finite[2];  // products with the step show what is not, and squares would overflow sooner
    kernels_.dots(new_u(), all_.stride_, 1, work(kStep), all_.width_, finite);
    kernels_.dots(new_v(), all_.stride_, 1, work(kStep), all_.width_, finite + 1);
    if (std::isfinite(finite[0]) && std::isfinite(finite[1]) && std::isfinite(by_q)) {
      kernels_.combine(new_u(), all_.stride_, 1, &by_q, all_.width_, work(kAfter), work(kBefore));
    } else {
      std::fill_n(new_u(), all_.width_, T(0));
      std::fill_n(new_v(), all_.width_, T(0));
      copy(work(kAfter), work(kBefore));
    }
    ++used_;
  }

  // The inner products of the step with the u's, which the next v needs, are taken on the way.
  void go(const T* from, double length, T* next) {
    kernels_.combine(work(kBefore), all_.stride_, 1, &length, all_.width_, from, next);
    T* s = work(kStep);
    kernels_.store_difference(from, next, all_.width_, s, work(kSpare), used_ > 0 ? u_ : s, all_.stride_,
                              std::max<std::int64_t>(used_, 1), step_dots_);
  }

 private:
  T* work(Work which) { return work_ + which * all_.stride_; }
  T* new_u() { return u_ + used_ * all_.stride_; }
  T* new_v() { return v_ + used_ * all_.stride_; }
  void copy(const T* from, T* to) { std::memcpy(to, from, all_.width_ * sizeof(T)); }

  void start_times(const T* x, T* out) {
    if (start_ == nullptr) return copy(x, out);
    std::vector<double> product(all_.width_);
    kernels_.dots(start_, all_.width_, all_.width_, x, all_.width_, product.data());
    for (std::int64_t i = 0; i < all_.width_; ++i) out[i] = static_cast<T>(product[i]);
  }

  const RowKernels<T>& kernels_ = row_kernels<T>();
  BroydenUpdates& all_;
  std::int64_t b_;
  std::int64_t& used_;
  T *u_, *v_, *work_;
  const T* start_;
  double *step_dots_, *dots_;
};

/// All samples with ATen. Everything is computed for all of them, and stored for some.
class BroydenUpdates::Batch {
 public:
  Batch(BroydenUpdates& all, const Mask& running) : all_(all), running_(running), active_(running) {}

  template <class Then>
  void where(const Mask& mark, const Then& then) {
    for (std::size_t b = 0; b < active_.size(); ++b) active_[b] = running_[b] && mark[b];
    if (active_.any()) then();
    active_ = running_;
  }

  void take(const at::Tensor& z, const at::Tensor& fz) {
    Mask full(running_.size());
    for (std::size_t b = 0; b < full.size(); ++b) full[b] = all_.used_[b] == all_.memory_;
    where(full, [&] {
      drop();
      store(kBefore, all_.start_times(work(kResidual), false));
    });
    store(kResidual, all_.fixed_point_ ? widened(fz) - widened(z) : widened(fz));
  }
  void drop() {
    for (std::size_t b = 0; b < active_.size(); ++b) {
      if (active_[b]) all_.used_[b] = 0;
    }
  }
  void keep_best() { store(kBestResidual, work(kResidual)); }
  void restore_best() { store(kResidual, work(kBestResidual)); }

  void apply(Work x, Work out) {
    store(out, all_.times(all_.start_times(work(x), false), all_.u_, all_.v_, work(x)));
  }
  std::pair<at::Tensor, at::Tensor> products_with_step() const {
    return {row_dot(work(kStep), work(kBefore)), row_dot(work(kStep), work(kAfter))};
  }
  void form_u(const at::Tensor& denominator) {
    new_u_ = (work(kStep) - work(kBefore) + work(kAfter)) / denominator;
  }
  void form_v() { new_v_ = all_.transposed_times(work(kStep)); }
  void append(const at::Tensor& by_q) {
    const at::Tensor finite = at::isfinite(row_dot(new_u_, work(kStep))) &
                              at::isfinite(row_dot(new_v_, work(kStep))) & at::isfinite(by_q);
    const at::Tensor q = work(kAfter);
    store(kBefore, at::where(finite, q + new_u_ * by_q, q));
    const at::Tensor slots = at::tensor(all_.used_, at::kLong).to(q.device()).view({-1, 1, 1});
    const at::Tensor here = at::arange(all_.memory_, slots.options()).view({1, -1, 1}) == slots;
    const at::Tensor chosen = here & to_mask(active_, all_.u_);
    all_.u_ = at::where(chosen, at::where(finite, new_u_, 0).unsqueeze(1), all_.u_);
    all_.v_ = at::where(chosen, at::where(finite, new_v_, 0).unsqueeze(1), all_.v_);
    for (std::size_t b = 0; b < active_.size(); ++b) all_.used_[b] += active_[b];
  }

  at::Tensor go(const at::Tensor& z, const at::Tensor& from, const std::vector<double>& lengths) {
    const at::Tensor p = work(kBefore);
    at::Tensor next = select_rows(running_, narrowed(from + p * to_column(lengths, p), z.scalar_type()), z);
    store(kStep, widened(next) - widened(from));
    return next;
  }

 private:
  at::Tensor work(Work which) const { return all_.work_.select(1, which); }
  void store(Work which, const at::Tensor& value) {
    work(which).copy_(select_rows(active_, value, work(which)));
  }

  BroydenUpdates& all_;
  const Mask& running_;
  Mask active_;  // what is stored for
  at::Tensor new_u_, new_v_;
};

}  // namespace stillpoint::detail
