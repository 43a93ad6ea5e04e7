#include "optim/qp/dense.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillpoint::detail {
namespace {

// Turns rows a and b by the angle with cosine c and sine s.
void rotate(double* a, double* b, double c, double s, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j) {
    const double before = a[j];
    a[j] = c * before - s * b[j];
    b[j] = s * before + c * b[j];
  }
}

}  // namespace

// Partial sums side by side, so that it is vectorized without leave to reorder.
double dot(const double* a, const double* b, std::int64_t n) {
  constexpr std::int64_t lanes = 8;
  double sum[lanes] = {};
  std::int64_t j = 0;
  for (; j + lanes <= n; j += lanes) {
    for (std::int64_t l = 0; l < lanes; ++l) sum[l] += a[j + l] * b[j + l];
  }
  double total = 0.0;
  for (const double part : sum) total += part;
  for (; j < n; ++j) total += a[j] * b[j];
  return total;
}

void axpy(double a, const double* x, double* y, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j) y[j] += a * x[j];
}

double largest(const Vector& v) {
  double most = 0.0;
  for (const double x : v) most = std::max(most, std::abs(x));
  return most;
}

double largest(const Matrix& m) { return largest(m.data); }

double max_diagonal(const Matrix& m) {
  double most = 0.0;
  for (std::int64_t i = 0; i < m.rows; ++i) most = std::max(most, m[i][i]);
  return most;
}

void multiply(double a, const Matrix& m, const Vector& x, Vector& y) {
  for (std::int64_t i = 0; i < m.rows; ++i) y[i] += a * dot(m[i], x.data(), m.cols);
}

void multiply_transposed(double a, const Matrix& m, const Vector& x, Vector& y) {
  for (std::int64_t i = 0; i < m.rows; ++i) {
    if (x[i] != 0.0) axpy(a * x[i], m[i], y.data(), m.cols);
  }
}

Matrix gram(const Matrix& m) {
  Matrix product(m.rows, m.rows);
  for (std::int64_t i = 0; i < m.rows; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) product[i][j] = dot(m[i], m[j], m.cols);
  }
  return product;
}

bool factorize(Matrix& m, double smallest) {
  for (std::int64_t i = 0; i < m.rows; ++i) {
    double* row = m[i];
    for (std::int64_t j = 0; j < i; ++j) row[j] = (row[j] - dot(row, m[j], j)) / m[j][j];
    const double pivot = row[i] - dot(row, row, i);
    if (!(pivot > smallest)) return false;
    row[i] = std::sqrt(pivot);
  }
  return true;
}

void solve_lower(const Matrix& factor, double* x) {
  for (std::int64_t i = 0; i < factor.rows; ++i) x[i] = (x[i] - dot(factor[i], x, i)) / factor[i][i];
}

void solve_lower_transposed(const Matrix& factor, double* x) {
  for (std::int64_t i = factor.rows - 1; i >= 0; --i) {
    x[i] /= factor[i][i];
    axpy(-x[i], factor[i], x, i);
  }
}

Vector solve_by_complement(const Matrix& l, const Matrix& reduced, const Matrix& k, const double* g,
                           Vector& f) {
  solve_lower(l, f.data());
  Vector dual(reduced.rows, 0.0);
  multiply(1.0, reduced, f, dual);
  axpy(-1.0, g, dual.data(), reduced.rows);
  solve_both(k, dual);
  multiply_transposed(-1.0, reduced, dual, f);
  solve_lower_transposed(l, f.data());
  return dual;
}

Matrix orthogonalize_rows(Matrix& m) {
  constexpr int most_sweeps = 60;  // ten are usual; rotations of tied singular values may go on for ever
  const double rounding = std::numeric_limits<double>::epsilon();
  const double nothing = rounding * rounding * largest(m) * largest(m);
  Matrix turn(m.rows, m.rows);
  for (std::int64_t i = 0; i < m.rows; ++i) turn[i][i] = 1.0;
  bool turned = true;
  for (int sweep = 0; turned && sweep < most_sweeps; ++sweep) {
    turned = false;
    for (std::int64_t i = 1; i < m.rows; ++i) {
      for (std::int64_t j = 0; j < i; ++j) {
        const double across = dot(m[i], m[j], m.cols);
        const double first = dot(m[j], m[j], m.cols);
        const double second = dot(m[i], m[i], m.cols);
        if (std::abs(across) <= rounding * std::sqrt(first * second) || std::abs(across) <= nothing) continue;
        turned = true;
        const double slope = (second - first) / (2.0 * across);
        const double tangent = std::copysign(1.0, slope) / (std::abs(slope) + std::hypot(1.0, slope));
        const double cosine = 1.0 / std::hypot(1.0, tangent);
        rotate(m[j], m[i], cosine, cosine * tangent, m.cols);
        rotate(turn[j], turn[i], cosine, cosine * tangent, turn.cols);
      }
    }
  }
  return turn;
}

}  // namespace stillpoint::detail
