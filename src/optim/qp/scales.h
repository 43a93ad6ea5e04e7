#pragma once

#include <algorithm>
#include <cmath>

#include "optim/qp/instance.h"

namespace stillpoint::detail {

/// The same of matrices that are not dense.
template <class M>
void add_sizes(const M& m, const Vector& x, Vector& y) {
  for (std::int64_t i = 0; i < m.rows; ++i) {
    double sum = 0.0;
    for_each_in_row(m, i, [&](std::int64_t j, double entry) { sum += std::abs(entry * x[j]); });
    y[i] += sum;
  }
}
template <class M>
void add_transposed_sizes(const M& m, const Vector& x, Vector& y) {
  for (std::int64_t i = 0; i < m.rows; ++i)
    for_each_in_row(m, i, [&](std::int64_t j, double entry) { y[j] += std::abs(entry * x[i]); });
}

template <class M>
Vector largest_products(const M& m, const Vector& x) {
  Vector most(m.rows, 0.0);
  for (std::int64_t i = 0; i < m.rows; ++i) {
    for_each_in_row(
        m, i, [&](std::int64_t j, double entry) { most[i] = std::max(most[i], std::abs(entry) * x[j]); });
  }
  return most;
}

/// How large the numbers of a program are, so that what counts as zero depends on none of its units.
/// `Program` is an `Instance`, or its like with sparse matrices.
class Scales {
 public:
  /// Of a solution, where no term says more: of each x, of each entry of Qx + p, and of the objective.
  /// `factor` is the Cholesky factor of Q if it is plainly definite; it says how far the minimum without
  /// constraints is.
  template <class Program>
  explicit Scales(const Program& program, const Matrix* factor = nullptr);

  /// The size of the terms in an equation, at a point with these x, y and z.
  struct Sizes {
    Vector a, g, slope;  // of Ax − b, of Gx − h, and of Qx + p + A'y + G'z
    double value = 0.0;  // of the objectives
  };
  template <class Program>
  Sizes sizes(const Program& program, const Point& point) const;

  double nearest() const { return largest(x_); }  ///< how small an x may be

 private:
  Vector x_, slope_;
  double value_ = 1.0;
};

/// How far a point is from optimal, relative to the sizes there.
template <class Program>
Measure measure(const Program& program, const Point& point, const Scales::Sizes& sizes);

inline Vector absolute(Vector v) {
  for (double& x : v) x = std::abs(x);
  return v;
}

/// The smallest |h| / |row|, in unknowns of size `unit`, that is more than rounding beside the largest one
/// and `reach`; 0 if there is none.
template <class Program>
double nearest_side(const Program& program, const Vector& unit, double reach) {
  constexpr double rounding = 1e-12;
  Vector distances;
  const auto add = [&](const auto& matrix, const Vector& side) {
    Vector across(side.size(), 0.0);
    add_sizes(matrix, unit, across);
    for (std::size_t i = 0; i < side.size(); ++i) {
      if (across[i] > 0.0) distances.push_back(std::abs(side[i]) / across[i]);
    }
  };
  add(program.a, program.b);
  add(program.g, program.h);
  const double noise = rounding * std::max(largest(distances), reach);
  double nearest = 0.0;
  for (const double distance : distances) {
    if (distance > noise) nearest = nearest > 0.0 ? std::min(nearest, distance) : distance;
  }
  return nearest;
}

/// The smaller of two numbers that is not zero; 1 if both are.
inline double smaller_positive(double a, double b) {
  const double least = std::min(a, b) > 0.0 ? std::min(a, b) : std::max(a, b);
  return least > 0.0 ? least : 1.0;
}

// The solution may be as near as a side, however far the minimum without constraints is, and the reverse.
template <class Program>
Scales::Scales(const Program& program, const Matrix* factor)
    : x_(program.p.size(), 1.0), slope_(program.p.size(), 1.0) {
  double reach = 0.0;
  Vector across(program.p.size(), 0.0);
  add_sizes(program.q, x_, across);
  if (factor != nullptr) {
    for (std::int64_t j = 0; j < program.q.rows; ++j) {
      for_each_in_row(program.q, j, [&](std::int64_t column, double entry) {
        if (column == j) slope_[j] = std::sqrt(entry);
      });
      x_[j] = 1.0 / slope_[j];
    }
    Vector whitened = program.p;
    solve_transposed(*factor, whitened);
    reach = largest(whitened);
  } else if (largest(across) > 0.0) {
    reach = largest(program.p) / largest(across);
  }
  const double near = smaller_positive(nearest_side(program, x_, reach), reach);
  double steep = factor != nullptr ? reach : largest(program.p);
  if (steep == 0.0) steep = factor != nullptr ? near : near * largest(across);
  if (steep == 0.0) steep = 1.0;
  for (double& v : x_) v *= near;
  for (double& v : slope_) v *= steep;
  value_ = near * steep;
}

template <class Program>
Scales::Sizes Scales::sizes(const Program& program, const Point& point) const {
  Vector x = absolute(point.x);
  for (std::size_t j = 0; j < x.size(); ++j) x[j] = std::max(x[j], x_[j]);
  Sizes sizes{absolute(program.b), absolute(program.h), absolute(program.p), value_};
  add_sizes(program.a, x, sizes.a);
  add_sizes(program.g, x, sizes.g);
  add_sizes(program.q, point.x, sizes.slope);
  add_transposed_sizes(program.a, point.y, sizes.slope);
  add_transposed_sizes(program.g, point.z, sizes.slope);
  for (std::size_t j = 0; j < x.size(); ++j) sizes.slope[j] = std::max(sizes.slope[j], slope_[j]);
  return sizes;
}

template <class Program>
Measure measure(const Program& program, const Point& point, const Scales::Sizes& sizes) {
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
