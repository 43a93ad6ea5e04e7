#pragma once

#include <cstdint>

namespace stillpoint::detail {

/// The arithmetic of the solvers on one sample, a row of n contiguous numbers, each in one pass. Sums are
/// taken in T over blocks and in double over the blocks.
template <class T>
struct RowKernels {
  /// sums = {Σ (f − z)², Σ z²}
  void (*difference_squares)(const T* z, const T* f, std::int64_t n, double* sums);
  /// out = z + damping (f − z)
  void (*damp)(const T* z, const T* f, T damping, std::int64_t n, T* out);
  /// difference = f − z, copy = f; returns Σ z²
  double (*store_difference)(const T* z, const T* f, std::int64_t n, T* difference, T* copy);
  /// out = p + g; returns Σ (out − u)²
  double (*add_and_compare)(const T* p, const T* g, const T* u, std::int64_t n, T* out);
  /// out[j] = Σ_i basis[j·stride + i] w[i] for j < count
  void (*dots)(const T* basis, std::int64_t stride, std::int64_t count, const T* w, std::int64_t n,
               double* out);
  /// w[i] += Σ_j coefficients[j] basis[j·stride + i] for j < count
  void (*combine)(const T* basis, std::int64_t stride, std::int64_t count, const double* coefficients,
                  std::int64_t n, T* w);
};

/// The kernels for this processor; T is float or double.
template <class T>
const RowKernels<T>& row_kernels();

}  // namespace stillpoint::detail
