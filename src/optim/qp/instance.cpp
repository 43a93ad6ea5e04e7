#include "optim/qp/instance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillpoint::detail {

Matrix stacked_rows(const Instance& program) {
  Matrix c(program.a.rows + program.g.rows, program.q.cols);
  std::copy(program.g.data.begin(), program.g.data.end(),
            std::copy(program.a.data.begin(), program.a.data.end(), c.data.begin()));
  return c;
}

Vector stacked_sides(const Instance& program) {
  Vector d = program.b;
  d.insert(d.end(), program.h.begin(), program.h.end());
  return d;
}

double Measure::worst() const {
  const double most = std::max({primal, dual, gap});
  return std::isfinite(primal + dual + gap) ? most : std::numeric_limits<double>::infinity();
}

Measure measure(const Instance& program, const Point& point) {
  Vector qx(point.x.size(), 0.0), pull(point.x.size(), 0.0), ax(point.y.size(), 0.0), gx(point.z.size(), 0.0);
  multiply(1.0, program.q, point.x, qx);
  multiply_transposed(1.0, program.a, point.y, pull);
  multiply_transposed(1.0, program.g, point.z, pull);
  multiply(1.0, program.a, point.x, ax);
  multiply(1.0, program.g, point.x, gx);

  Measure error;
  const double primal_scale =
      1.0 + std::max({largest(ax), largest(gx), largest(program.b), largest(program.h)});
  for (std::size_t i = 0; i < ax.size(); ++i)
    error.primal = std::max(error.primal, std::abs(ax[i] - program.b[i]));
  for (std::size_t i = 0; i < gx.size(); ++i) error.primal = std::max(error.primal, gx[i] - program.h[i]);
  error.primal /= primal_scale;

  const double dual_scale = 1.0 + std::max({largest(qx), largest(pull), largest(program.p)});
  for (std::size_t j = 0; j < qx.size(); ++j)
    error.dual = std::max(error.dual, std::abs(qx[j] + pull[j] + program.p[j]));
  for (const double z : point.z) error.dual = std::max(error.dual, -z);
  error.dual /= dual_scale;

  const double curvature = dot(point.x, qx);
  const double primal = curvature / 2 + dot(program.p, point.x);
  const double dual = -curvature / 2 - dot(program.b, point.y) - dot(program.h, point.z);
  error.gap = std::abs(primal - dual) / (1.0 + std::max(std::abs(primal), std::abs(dual)));
  // A largest number hides NaN.
  const double all = dot(point.x, point.x) + dot(point.z, point.z) + dot(point.y, point.y);
  if (std::isnan(all)) error.primal = all;
  return error;
}

}  // namespace stillpoint::detail
