#include "optim/sparse/sparse_instance.h"

#include <algorithm>
#include <cmath>
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
    if (sign * value[j] == std::numeric_limits<double>::infinity()) continue;
    sample.program.g.add_unit_row(static_cast<std::int64_t>(j), sign);
    sample.program.h.push_back(sign * value[j]);
    sample.row.push_back(first + static_cast<std::int64_t>(j));
  }
}

struct Products {
  Vector qx, pull, ax, gx;

  Products(const SparseInstance& program, const Point& point)
      : qx(point.x.size(), 0.0), pull(qx), ax(point.y.size(), 0.0), gx(point.z.size(), 0.0) {
    multiply(1.0, program.q, point.x, qx);
    multiply_transposed(1.0, program.a, point.y, pull);
    multiply_transposed(1.0, program.g, point.z, pull);
    multiply(1.0, program.a, point.x, ax);
    multiply(1.0, program.g, point.x, gx);
  }
};

double primal_error(const SparseInstance& program, const Products& products) {
  double error = 0.0;
  for (std::size_t i = 0; i < products.ax.size(); ++i)
    error = std::max(error, std::abs(products.ax[i] - program.b[i]));
  for (std::size_t i = 0; i < products.gx.size(); ++i) error = std::max(error, products.gx[i] - program.h[i]);
  return error / (1.0 + std::max({largest(products.ax), largest(products.gx), largest(program.b),
                                  largest(program.h)}));
}

double dual_error(const SparseInstance& program, const Products& products, const Vector& z) {
  double error = 0.0;
  for (std::size_t j = 0; j < products.qx.size(); ++j)
    error = std::max(error, std::abs(products.qx[j] + products.pull[j] + program.p[j]));
  for (const double dual : z) error = std::max(error, -dual);
  return error / (1.0 + std::max({largest(products.qx), largest(products.pull), largest(program.p)}));
}

}  // namespace

// As that of dense programs.
Measure measure(const SparseInstance& program, const Point& point) {
  const Products products(program, point);
  Measure error{primal_error(program, products), dual_error(program, products, point.z), 0.0};
  const double curvature = dot(point.x, products.qx);
  const double primal = curvature / 2 + dot(program.p, point.x);
  const double dual = -curvature / 2 - dot(program.b, point.y) - dot(program.h, point.z);
  error.gap = std::abs(primal - dual) / (1.0 + std::max(std::abs(primal), std::abs(dual)));
  // A largest number hides NaN.
  const double all = dot(point.x, point.x) + dot(point.z, point.z) + dot(point.y, point.y);
  if (std::isnan(all)) error.primal = all;
  return error;
}

SparseSample::SparseSample(const optim::QuadraticProgram& parts, const ProgramBatch& batch) {
  const std::int64_t n = batch.unknowns();
  program.q = parts.Q.defined() ? symmetric_part(CompressedRows(parts.Q)) : CompressedRows(n, n);
  program.p = parts.p.defined() ? numbers_of(parts.p) : Vector(n, 0.0);
  program.a = parts.A.defined() ? CompressedRows(parts.A) : CompressedRows(0, n);
  program.b = numbers_of(parts.b);
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
