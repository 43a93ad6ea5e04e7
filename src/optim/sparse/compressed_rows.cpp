#include "optim/sparse/compressed_rows.h"

#include <algorithm>

namespace stillpoint::detail {

CompressedRows::CompressedRows(const at::Tensor& csr) : rows(csr.size(0)), cols(csr.size(1)) {
  const at::Tensor numbers = csr.detach();
  const at::Tensor starts = numbers.crow_indices().to(at::kLong).contiguous();
  const at::Tensor columns = numbers.col_indices().to(at::kLong).contiguous();
  const at::Tensor values = numbers.values().contiguous();
  start.assign(starts.data_ptr<std::int64_t>(), starts.data_ptr<std::int64_t>() + starts.numel());
  column.assign(columns.data_ptr<std::int64_t>(), columns.data_ptr<std::int64_t>() + columns.numel());
  value.assign(values.data_ptr<double>(), values.data_ptr<double>() + values.numel());
}

void CompressedRows::add_row_like(const CompressedRows& m, std::int64_t row) {
  column.insert(column.end(), m.column.begin() + m.start[row], m.column.begin() + m.start[row + 1]);
  value.insert(value.end(), m.value.begin() + m.start[row], m.value.begin() + m.start[row + 1]);
  start.push_back(static_cast<std::int64_t>(column.size()));
  ++rows;
}

void CompressedRows::add_unit_row(std::int64_t at, double entry) {
  column.push_back(at);
  value.push_back(entry);
  start.push_back(static_cast<std::int64_t>(column.size()));
  ++rows;
}

double row_dot(const CompressedRows& m, std::int64_t row, const double* x) {
  double sum = 0.0;
  for (std::int64_t e = m.start[row]; e < m.start[row + 1]; ++e) sum += m.value[e] * x[m.column[e]];
  return sum;
}

void add_row(double a, const CompressedRows& m, std::int64_t row, double* y) {
  for (std::int64_t e = m.start[row]; e < m.start[row + 1]; ++e) y[m.column[e]] += a * m.value[e];
}

void multiply(double a, const CompressedRows& m, const Vector& x, Vector& y) {
  for (std::int64_t i = 0; i < m.rows; ++i) y[i] += a * row_dot(m, i, x.data());
}

void multiply_transposed(double a, const CompressedRows& m, const Vector& x, Vector& y) {
  for (std::int64_t i = 0; i < m.rows; ++i) add_row(a * x[i], m, i, y.data());
}

CompressedRows transposed(const CompressedRows& m) {
  CompressedRows t(m.cols, m.rows);
  for (const std::int64_t j : m.column) ++t.start[j + 1];
  for (std::int64_t j = 0; j < m.cols; ++j) t.start[j + 1] += t.start[j];
  t.column.resize(m.column.size());
  t.value.resize(m.value.size());
  std::vector<std::int64_t> next(t.start.begin(), t.start.end() - 1);
  for (std::int64_t i = 0; i < m.rows; ++i) {
    for (std::int64_t e = m.start[i]; e < m.start[i + 1]; ++e) {
      const std::int64_t to = next[m.column[e]]++;
      t.column[to] = i;
      t.value[to] = m.value[e];
    }
  }
  return t;
}

CompressedRows symmetric_part(const CompressedRows& m) {
  const CompressedRows t = transposed(m);
  CompressedRows s(0, m.cols);
  s.start = {0};
  std::vector<std::int64_t> place(m.cols, -1);  // in s, of the entry of the row in each column
  for (std::int64_t i = 0; i < m.rows; ++i) {
    const auto first = static_cast<std::int64_t>(s.column.size());
    for (const CompressedRows* half : {&m, &t}) {
      for (std::int64_t e = half->start[i]; e < half->start[i + 1]; ++e) {
        std::int64_t& at = place[half->column[e]];
        if (at < first) {
          at = static_cast<std::int64_t>(s.column.size());
          s.column.push_back(half->column[e]);
          s.value.push_back(0.0);
        }
        s.value[at] += half->value[e] / 2;
      }
    }
    s.start.push_back(static_cast<std::int64_t>(s.column.size()));
    ++s.rows;
  }
  return s;
}

}  // namespace stillpoint::detail
