#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

/// An orthonormal basis of a Krylov space for each sample of a batch. Memory grows with the bases, a few
/// vectors at a time.
class KrylovBases {
 public:
  /// Of at most `size` + 1 vectors like the samples of `like`.
  KrylovBases(const at::Tensor& like, std::int64_t size);

  /// Begins anew: the first vector of each sample is r / length, or zero where the length is zero.
  void start(const at::Tensor& r, const std::vector<double>& length);
  /// Makes w orthogonal to the vectors so far and, normalized, the newest. Samples that are not running may
  /// get anything finite.
  void append(const at::Tensor& w, const Mask& running);

  /// How many vectors each sample has.
  std::int64_t count() const { return count_; }
  /// Of each sample the newest vector, shaped like `like`.
  at::Tensor newest() { return vector(count_ - 1); }
  /// What made the newest vector of sample b of w: its coefficients along those before, and the norm of the
  /// rest.
  std::span<const double> column(std::int64_t b) const;
  /// Σ_j y[b · vectors + j] · vector j for each sample b, over all its vectors but the newest.
  at::Tensor combine(const std::vector<double>& y);

 private:
  at::Tensor vector(std::int64_t j);
  void append_as_it_is(const at::Tensor& w, const Mask& running);
  std::vector<double> units_where_doubtful(const at::Tensor& w, const Mask& running) const;
  template <class T>
  void append_rows(const at::Tensor& next, const Mask& running);
  template <class T>
  double orthogonalize(T* w, std::int64_t b, double* column) const;
  void append_batch(at::Tensor& w);
  double* column_of(std::int64_t b) { return &columns_[b * size_]; }

  std::int64_t size_;
  std::int64_t batch_;
  std::int64_t width_;
  std::int64_t count_ = 0;
  std::vector<std::int64_t> shape_;
  at::TensorOptions options_;
  std::vector<at::Tensor> blocks_;  // of kBlock vectors: vector j of all samples is contiguous, [B, N]
  std::vector<double> columns_;     // the newest column of sample b at b · size_
};

}  // namespace stillpoint::detail
