#pragma once

#include <cstdint>

namespace stillpoint::detail {

/// The arithmetic on small dense matrices, row-major, with rows `…_stride` numbers apart.
struct DenseKernels {
  double (*dot)(const double* a, const double* b, std::int64_t n);
  void (*axpy)(double a, const double* x, double* y, std::int64_t n);  ///< y += a x

  /// y += a M x for M of rows × n.
  void (*multiply)(double a, const double* m, std::int64_t rows, std::int64_t n, const double* x, double* y);

  /// C += factor A'B for A of depth × rows and B of depth × columns. If `upper`, only from the diagonal on,
  /// and what lies left of it near the diagonal is overwritten with anything.
  void (*add_product)(double factor, std::int64_t depth, const double* a, std::int64_t a_stride,
                      std::int64_t rows, const double* b, std::int64_t b_stride, std::int64_t columns,
                      double* c, std::int64_t c_stride, bool upper);

  /// The upper triangle of M, n × n, becomes U with M = U'U. False if a pivot is not above `smallest`.
  bool (*factorize)(double* m, std::int64_t n, double smallest);

  /// x = U⁻¹U⁻ᵀx, or one of the two.
  void (*solve_both)(const double* u, std::int64_t n, double* x);
  void (*solve_upper)(const double* u, std::int64_t n, double* x);
  void (*solve_lower)(const double* u, std::int64_t n, double* x);  ///< with U'

  /// B = U⁻ᵀ B for B of n × columns.
  void (*solve_transposed)(const double* u, std::int64_t n, double* b, std::int64_t columns);

  /// M = factor (a x' + w c') of rows × columns.
  void (*outer_pair)(double factor, const double* a, const double* x, const double* w, const double* c,
                     std::int64_t rows, std::int64_t columns, double* m);

  /// y += |M| |x| and y += |M|'|x| for M of rows × n, and y[i] = max |M[i][j]| x[j] for x ≥ 0.
  void (*multiply_sizes)(const double* m, std::int64_t rows, std::int64_t n, const double* x, double* y);
  void (*add_sizes_transposed)(const double* m, std::int64_t rows, std::int64_t n, const double* x,
                               double* y);
  void (*largest_products)(const double* m, std::int64_t rows, std::int64_t n, const double* x, double* y);
};

/// The kernels for this processor.
const DenseKernels& dense_kernels();

}  // namespace stillpoint::detail
