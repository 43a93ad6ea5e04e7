#include "optim/sparse/sparse_instance.h"

#include <limits>

namespace stillpoint::detail {
namespace {

Vector numbers_of(const at::Tensor& part) {
  if (!part.defined()) return {};
  const at::Tensor numbers = part.detach().contiguous();
  return {numbers.data_ptr<double>(), numbers.data_ptr<double>() + numbers.numel()};
}

void add_bounds(const at::Tensor& bound, double sign, std::int64_t first, SparseSample& sample) {
  const Vector value = numbers_of(bound);
  for (std::size_t j = 0; j < value.size(); ++j) {
    if (sign * value[j] == std::numeric_limits<double>::infinity() ||
        is_fixed(sample.fixed, static_cast<std::int64_t>(j)))
      continue;
    sample.program.g.add_unit_row(static_cast<std::int64_t>(j), sign);
    sample.program.h.push_back(sign * value[j]);
    sample.row.push_back(first + static_cast<std::int64_t>(j));
  }
}

}  // namespace

SparseSample::SparseSample(const optim::QuadraticProgram& parts, const ProgramBatch& batch) {
  const std::int64_t n = batch.unknowns();
  program.q = parts.Q.defined() ? symmetric_part(CompressedRows(parts.Q)) : CompressedRows(n, n);
  program.p = parts.p.defined() ? numbers_of(parts.p) : Vector(n, 0.0);
  program.a = parts.A.defined() ? CompressedRows(parts.A) : CompressedRows(0, n);
  program.b = numbers_of(parts.b);
  if (parts.lower.defined() && parts.upper.defined()) {
    const Vector upper = numbers_of(parts.upper);
    fixed = fixed_unknowns(numbers_of(parts.lower).data(), upper.data(), n, batch.general_rows());
    for (const FixedUnknown& one : fixed) {
      program.a.add_unit_row(one.unknown, 1.0);
      program.b.push_back(upper[one.unknown]);
    }
  }
  program.g = CompressedRows(0, n);
  if (parts.G.defined()) {
    const CompressedRows g(parts.G);
    const Vector side = numbers_of(parts.h);
    for (std::int64_t i = 0; i < g.rows; ++i) {
      if (side[i] == std::numeric_limits<double>::infinity()) continue;
      program.g.add_row_like(g, i);
      program.h.push_back(side[i]);
      row.push_back(i);
    }
  }
  add_bounds(parts.lower, -1.0, batch.general_rows(), *this);
  add_bounds(parts.upper, 1.0, batch.general_rows() + batch.lower_rows(), *this);
}

}  // namespace stillpoint::detail
