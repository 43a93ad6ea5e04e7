#include "optim/qp/scales.h"

#include <algorithm>
#include <cmath>

namespace stillpoint::detail {
namespace {

// y += |M| x, and y += |M|'x.
void add_sizes(const Matrix& m, const Vector& x, Vector& y) {
  for (std::int64_t i = 0; i < m.rows; ++i) {
    double sum = 0.0;
    for (std::int64_t j = 0; j < m.cols; ++j) sum += std::abs(m[i][j]) * x[j];
    y[i] += sum;
  }
}

void add_transposed_sizes(const Matrix& m, const Vector& x, Vector& y) {
  for (std::int64_t i = 0; i < m.rows; ++i) {
    const double size = std::abs(x[i]);
    if (size == 0.0) continue;
    for (std::int64_t j = 0; j < m.cols; ++j) y[j] += std::abs(m[i][j]) * size;
  }
}

Vector absolute(Vector v) {
  for (double& x : v) x = std::abs(x);
  return v;
}

// The smallest |h| / |row| that is not zero, in unknowns of size `unit`; 1 if there is none.
double nearest_side(const Instance& program, const Vector& unit) {
  const Matrix c = stacked_rows(program);
  const Vector d = stacked_sides(program);
  Vector across(d.size(), 0.0);
  add_sizes(c, unit, across);
  double nearest = 0.0;
  for (std::size_t i = 0; i < d.size(); ++i) {
    const double distance = std::abs(d[i]) / across[i];
    if (distance > 0.0 && std::isfinite(distance))
      nearest = nearest > 0.0 ? std::min(nearest, distance) : distance;
  }
  return nearest > 0.0 ? nearest : 1.0;
}

}  // namespace

// With a definite Q = U'U, unknowns are measured by it: |U⁻ᵀp| is how far the minimum without constraints is.
Scales::Scales(const Instance& program, const std::shared_ptr<const Matrix>& factor)
    : x_(program.q.rows, 1.0), slope_(program.q.rows, 1.0) {
  if (factor != nullptr) {
    for (std::int64_t j = 0; j < program.q.rows; ++j) {
      slope_[j] = std::sqrt(program.q[j][j]);
      x_[j] = 1.0 / slope_[j];
    }
    Vector reach = program.p;
    solve_transposed(*factor, reach);
    const double far = largest(reach) > 0.0 ? largest(reach) : nearest_side(program, x_);
    for (double& v : x_) v *= far;
    for (double& v : slope_) v *= far;
    value_ = far * far;
    return;
  }
  const double near = nearest_side(program, x_);
  const double steep = std::max(largest(program.p), near * largest(program.q));
  for (double& v : x_) v = near;
  for (double& v : slope_) v = steep > 0.0 ? steep : 1.0;
  value_ = x_.empty() ? 1.0 : near * slope_[0];
}

Scales::Sizes Scales::sizes(const Instance& program, const Point& point) const {
  Vector x = absolute(point.x);
  for (std::size_t j = 0; j < x.size(); ++j) x[j] = std::max(x[j], x_[j]);
  Sizes sizes{absolute(program.b), absolute(program.h), absolute(program.p), value_};
  add_sizes(program.a, x, sizes.a);
  add_sizes(program.g, x, sizes.g);
  add_sizes(program.q, absolute(point.x), sizes.slope);
  add_transposed_sizes(program.a, point.y, sizes.slope);
  add_transposed_sizes(program.g, point.z, sizes.slope);
  for (std::size_t j = 0; j < x.size(); ++j) sizes.slope[j] = std::max(sizes.slope[j], slope_[j]);
  return sizes;
}

Measure measure(const Instance& program, const Point& point, const Scales::Sizes& sizes) {
  Vector qx(point.x.size(), 0.0);
  multiply(1.0, program.q, point.x, qx);
  Vector slope = qx;
  axpy(1.0, program.p, slope);
  multiply_transposed(1.0, program.a, point.y, slope);
  multiply_transposed(1.0, program.g, point.z, slope);
  Vector ax(point.y.size(), 0.0);
  Vector gx(point.z.size(), 0.0);
  multiply(1.0, program.a, point.x, ax);
  multiply(1.0, program.g, point.x, gx);

  Measure error;
  // A row of zeros with a side of zero has no size, and is met.
  const auto beside = [](double missed, double size) { return missed == 0.0 ? 0.0 : missed / size; };
  for (std::size_t i = 0; i < ax.size(); ++i)
    error.primal = std::max(error.primal, beside(std::abs(ax[i] - program.b[i]), sizes.a[i]));
  for (std::size_t i = 0; i < gx.size(); ++i)
    error.primal = std::max(error.primal, beside(std::max(0.0, gx[i] - program.h[i]), sizes.g[i]));
  for (std::size_t j = 0; j < slope.size(); ++j)
    error.dual = std::max(error.dual, beside(std::abs(slope[j]), sizes.slope[j]));

  const double curvature = dot(point.x, qx);
  const double linear = dot(program.p, point.x);
  const double sides = dot(program.b, point.y) + dot(program.h, point.z);
  error.gap = std::abs(curvature + linear + sides) /
              std::max({sizes.value, std::abs(curvature), std::abs(linear), std::abs(sides)});
  // A largest number hides NaN.
  const double all = dot(point.x, point.x) + dot(point.z, point.z) + dot(point.y, point.y);
  if (std::isnan(all)) error.primal = all;
  return error;
}

}  // namespace stillpoint::detail
