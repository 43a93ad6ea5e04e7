#include "linear/solvers/krylov_bases.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/rows/rows.h"
#include "linear/vectors.h"

namespace stillpoint::detail {
namespace {

constexpr std::int64_t kBlock = 8;  // vectors of a basis that are allocated together

// Reorthogonalized where less than this part of a vector is left.
constexpr double kCancellation = 0.5;

// How many of the first `size` vectors block `i` holds.
std::int64_t block_size(std::size_t i, std::int64_t size) {
  return std::min(kBlock, size - static_cast<std::int64_t>(i) * kBlock);
}

}  // namespace

KrylovBases::KrylovBases(const at::Tensor& like, std::int64_t size)
    : size_(size + 1),
      batch_(like.size(0)),
      width_(row_width(like)),
      shape_(like.sizes().vec()),
      options_(like.options()),
      columns_(batch_ * size_) {}

at::Tensor KrylovBases::vector(std::int64_t j) {
  if (j / kBlock == static_cast<std::int64_t>(blocks_.size())) {
    blocks_.push_back(at::empty({block_size(blocks_.size(), size_), batch_, width_}, options_));
  }
  return blocks_[j / kBlock].select(0, j % kBlock).view(shape_);
}

void KrylovBases::start(const at::Tensor& r, const std::vector<double>& length) {
  std::vector<double> inverse(batch_);
  for (std::int64_t b = 0; b < batch_; ++b) inverse[b] = length[b] > 0.0 ? 1.0 / length[b] : 0.0;
  at::Tensor first = vector(0);
  first.copy_(r * to_column(inverse, r));
  // 0 · NaN is NaN: rows without a length are set, not scaled.
  Mask empty(batch_);
  for (std::int64_t b = 0; b < batch_; ++b) empty[b] = inverse[b] == 0.0;
  copy_rows(empty, at::zeros_like(first), first);
  count_ = 1;
}

void KrylovBases::append(const at::Tensor& w, const Mask& running) {
  append_as_it_is(w, running);
  const std::vector<double> unit = units_where_doubtful(w, running);
  if (!unit.empty()) {
    append_as_it_is(w / to_column(unit, w), running);
    for (std::int64_t b = 0; b < batch_; ++b) {
      for (std::int64_t j = 0; j <= count_; ++j) column_of(b)[j] *= unit[b];
    }
  }
  ++count_;
}

std::span<const double> KrylovBases::column(std::int64_t b) const {
  return {&columns_[b * size_], static_cast<std::size_t>(count_)};
}

at::Tensor KrylovBases::combine(const std::vector<double>& y) {
  at::Tensor result = at::zeros(shape_, options_);
  for (std::int64_t j = 0; j < count_ - 1; ++j) {
    std::vector<double> coefficient(batch_);
    for (std::int64_t b = 0; b < batch_; ++b) coefficient[b] = y[b * (count_ - 1) + j];
    result.addcmul_(to_column(coefficient, result), vector(j));
  }
  return result;
}

void KrylovBases::append_as_it_is(const at::Tensor& w, const Mask& running) {
  at::Tensor next = vector(count_).copy_(w).view({batch_, width_});
  if (has_row_kernels(next)) {
    AT_DISPATCH_FLOATING_TYPES(next.scalar_type(), "gmres", [&] { append_rows<scalar_t>(next, running); });
  } else {
    append_batch(next);
  }
}

// The sizes of those products whose squares have overflowed or underflowed in the column, 1 for others; none
// where there are none.
std::vector<double> KrylovBases::units_where_doubtful(const at::Tensor& w, const Mask& running) const {
  Mask doubtful(batch_);
  for (std::int64_t b = 0; b < batch_; ++b) {
    const double* column = &columns_[b * size_];
    const double square = std::inner_product(column, column + count_ + 1, column, 0.0);
    const bool safe = w.scalar_type() == at::kDouble ? is_safe_square<double>(square, width_)
                                                     : is_safe_square<float>(square, width_);
    doubtful[b] = running[b] && !safe;
  }
  if (!doubtful.any()) return {};
  std::vector<double> sizes = row_norms(w, Norm::Maximum);
  for (std::int64_t b = 0; b < batch_; ++b) {
    if (!doubtful[b]) sizes[b] = 1.0;
  }
  return power_units(std::move(sizes));
}

template <class T>
void KrylovBases::append_rows(const at::Tensor& next, const Mask& running) {
  const auto& kernels = row_kernels<T>();
  for (std::int64_t b = 0; b < batch_; ++b) {
    T* w = next.data_ptr<T>() + b * width_;
    double* column = column_of(b);
    if (!running[b]) {
      std::fill_n(w, width_, T(0));
      continue;
    }
    std::fill_n(column, count_, 0.0);
    const double square = orthogonalize(w, b, column);
    const double before = std::inner_product(column, column + count_, column, square);
    column[count_] =
        std::sqrt(square < kCancellation * kCancellation * before ? orthogonalize(w, b, column) : square);
    const double inverse = column[count_] > 0.0 ? 1.0 / column[count_] : 1.0;
    kernels.combine(w, width_, 1, &inverse, width_, nullptr, w);
  }
}

// Takes from w its part along the vectors of sample b, whose coefficients are added to `column`. The square
// of what is left.
template <class T>
double KrylovBases::orthogonalize(T* w, std::int64_t b, double* column) const {
  const auto& kernels = row_kernels<T>();
  const std::int64_t next = batch_ * width_;
  std::array<double, kBlock> dots{};
  for (std::size_t i = 0; i < blocks_.size() && block_size(i, count_) > 0; ++i) {
    const T* basis = blocks_[i].data_ptr<T>() + b * width_;
    const std::int64_t count = block_size(i, count_);
    kernels.dots(basis, next, count, w, width_, dots.data());
    for (std::int64_t j = 0; j < count; ++j) {
      *column++ += dots[j];
      dots[j] = -dots[j];
    }
    kernels.combine(basis, next, count, dots.data(), width_, w, w);
  }
  double square = 0.0;
  kernels.dots(w, width_, 1, w, width_, &square);
  return square;
}

void KrylovBases::append_batch(at::Tensor& w) {
  std::vector<at::Tensor> columns;
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t i = 0; i < blocks_.size() && block_size(i, count_) > 0; ++i) {
      const at::Tensor basis = blocks_[i].narrow(0, 0, block_size(i, count_)).transpose(0, 1);
      const at::Tensor dots = matrix_times(basis, w);  // [B, vectors]
      w.sub_(at::bmm(dots.unsqueeze(1), basis).squeeze(1));
      if (pass == 0) {
        columns.push_back(dots);
      } else {
        columns[i].add_(dots);
      }
    }
  }
  const at::Tensor length = row_dot(w, w).sqrt();
  w.mul_(finite_or_zero(length.reciprocal()));
  columns.push_back(length);
  const std::vector<double> numbers = to_host(at::cat(columns, 1));
  for (std::int64_t b = 0; b < batch_; ++b) {
    std::copy_n(numbers.begin() + b * (count_ + 1), count_ + 1, column_of(b));
  }
}

}  // namespace stillpoint::detail
