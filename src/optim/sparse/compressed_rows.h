#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "optim/qp/dense.h"

namespace stillpoint::detail {

/// A sparse matrix by rows: row i has the entries start[i] to start[i + 1].
struct CompressedRows {
  std::int64_t rows = 0, cols = 0;
  std::vector<std::int64_t> start = {0}, column = {};
  Vector value = {};

  CompressedRows() = default;
  CompressedRows(std::int64_t r, std::int64_t c) : rows(r), cols(c), start(r + 1, 0) {}
  /// The numbers of a sparse CSR tensor in double on the CPU.
  explicit CompressedRows(const at::Tensor& csr);

  void add_row_like(const CompressedRows& m, std::int64_t row);  ///< below the others
  void add_unit_row(std::int64_t at, double entry);
};

template <class F>
void for_each_in_row(const CompressedRows& m, std::int64_t row, F&& f) {
  for (std::int64_t e = m.start[row]; e < m.start[row + 1]; ++e) f(m.column[e], m.value[e]);
}
/// Row i of M times x, and y += a times row i.
double row_dot(const CompressedRows& m, std::int64_t row, const double* x);
void add_row(double a, const CompressedRows& m, std::int64_t row, double* y);
/// y += a M x, and y += a M'x.
void multiply(double a, const CompressedRows& m, const Vector& x, Vector& y);
void multiply_transposed(double a, const CompressedRows& m, const Vector& x, Vector& y);

CompressedRows transposed(const CompressedRows& m);
/// (M + M')/2, with the patterns of both.
CompressedRows symmetric_part(const CompressedRows& m);

}  // namespace stillpoint::detail
