#pragma once

#include <cstdint>

namespace stillpoint::detail {

/// The arithmetic of the solvers on samples, rows of `width` contiguous numbers, each in one pass. Sums are
/// taken in T over blocks of 1024 numbers a lane, and in double over the blocks.
template <class T>
struct RowKernels {
  /// residual[b] = unit · sqrt(Σ (f − z)²), scale[b] = unit · sqrt(Σ z²) for each of the rows.
  void (*residual_norms)(const T* z, const T* f, std::int64_t rows, std::int64_t width, double unit,
                         double* residual, double* scale);
  /// out = z + damping (f − z)
  void (*damp)(const T* z, const T* f, T damping, std::int64_t n, T* out);
  /// out = p + g, change[b] = unit · sqrt(Σ (out − u)²) for each of the rows.
  void (*add_and_compare)(const T* p, const T* g, const T* u, std::int64_t rows, std::int64_t width,
                          double unit, T* out, double* change);
  /// For one row: difference = f − z, copy = f, out[j] = Σ_i basis[j·stride + i] difference[i] for j < count,
  /// count ≥ 1; returns Σ z². The difference may be one of the basis.
  double (*store_difference)(const T* z, const T* f, std::int64_t width, T* difference, T* copy,
                             const T* basis, std::int64_t stride, std::int64_t count, double* out);
  /// For one row: out[j] = Σ_i basis[j·stride + i] w[i] for j < count.
  void (*dots)(const T* basis, std::int64_t stride, std::int64_t count, const T* w, std::int64_t width,
               double* out);
  /// For one row: out[i] = base[i] + Σ_j coefficients[j] basis[j·stride + i] for j < count; base may be null
  /// (zero) or out.
  void (*combine)(const T* basis, std::int64_t stride, std::int64_t count, const double* coefficients,
                  std::int64_t width, const T* base, T* out);
  /// out = base + Σ_j coefficients[j] terms[j] for j < count, n numbers each; base may be null (zero) if
  /// count > 0.
  void (*add_scaled)(const T* const* terms, std::int64_t count, const double* coefficients, const T* base,
                     std::int64_t n, T* out);
  /// out = base + scale · Σ_j weights[j] terms[j] for j < count, count > 0, n numbers each; one scale, or n.
  void (*add_scaled_rows)(const T* const* terms, std::int64_t count, const double* weights, const T* scale,
                          bool one_scale, const T* base, std::int64_t n, T* out);
  /// For each row: Σ_i (e_i / (absolute + relative max(|y_i|, |next_i|)))² with e = scale[b·scale_stride] Σ_j
  /// weights[j] terms[j] for j < count, count > 0; NaN if next is not finite. 0/0 counts as 0.
  void (*error_squares)(const T* const* terms, std::int64_t count, const double* weights, const double* scale,
                        std::int64_t scale_stride, const T* y, const T* next, double absolute,
                        double relative, std::int64_t rows, std::int64_t width, double* out);
};

/// Samples whose small systems are solved together, when there are that many.
constexpr std::int64_t kLanes = 8;
constexpr std::int64_t kMaxMemory = 32;

/// For `lanes` samples: the weights α that minimize ‖Σ α_j r_j‖² + regularization Σ α_j² ‖r_j‖² with Σ α_j =
/// 1, from gram[(i · memory + j) · lanes + lane] = r_i · r_j (for j ≤ i) and inverse_norms[j · lanes + lane]
/// = 1 / ‖r_j‖, which is zero where a lane has no r_j; that gives a zero weight. Where the problem is not
/// solvable in floating point the weights are not finite. The Gram matrix is scaled to unit diagonal and
/// factorized as L D Lᵀ.
using MixWeights = void (*)(const double* gram, const double* inverse_norms, std::int64_t memory,
                            double regularization, double* weights);

/// `lanes` is 1 or kLanes.
MixWeights mix_weights(std::int64_t lanes);

/// The kernels for this processor; T is float or double.
template <class T>
const RowKernels<T>& row_kernels();

}  // namespace stillpoint::detail
