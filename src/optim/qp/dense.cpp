#include "optim/qp/dense.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/rows/kernel_set.h"
#include "optim/qp/dense_kernels.h"

namespace stillpoint::detail {

namespace baseline {
const DenseKernels& kernels_dense();
}
#ifdef STILLPOINT_X86_KERNELS
namespace avx2 {
const DenseKernels& kernels_dense();
}
namespace avx512 {
const DenseKernels& kernels_dense();
}
#endif

namespace {

const DenseKernels& choose_dense() {
#ifdef STILLPOINT_X86_KERNELS
  if (kernel_set() == KernelSet::Avx512) return avx512::kernels_dense();
  if (kernel_set() == KernelSet::Avx2) return avx2::kernels_dense();
#endif
  return baseline::kernels_dense();
}

// Turns rows a and b by the angle with cosine c and sine s.
void rotate(double* a, double* b, double c, double s, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j) {
    const double before = a[j];
    a[j] = c * before - s * b[j];
    b[j] = s * before + c * b[j];
  }
}

}  // namespace

const DenseKernels& dense_kernels() {
  static const DenseKernels& chosen = choose_dense();
  return chosen;
}

double dot(const double* a, const double* b, std::int64_t n) { return dense_kernels().dot(a, b, n); }

void axpy(double a, const double* x, double* y, std::int64_t n) { dense_kernels().axpy(a, x, y, n); }

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

double inverse_size(double x) { return x > 0.0 ? std::exp2(-std::round(std::log2(x))) : 1.0; }

Matrix transposed(const Matrix& m) { return transposed(m, Matrix(0, m.cols)); }

// Eight rows at a time, so that both sides are read and written along their lines.
Matrix transposed(const Matrix& upper, const Matrix& lower) {
  constexpr std::int64_t together = 8;
  Matrix t(upper.cols, upper.rows + lower.rows);
  const auto copy = [&](const Matrix& m, std::int64_t to) {
    for (std::int64_t first = 0; first < m.rows; first += together) {
      const std::int64_t last = std::min(first + together, m.rows);
      for (std::int64_t j = 0; j < m.cols; ++j) {
        for (std::int64_t i = first; i < last; ++i) t[j][to + i] = m[i][j];
      }
    }
  };
  copy(upper, 0);
  copy(lower, upper.rows);
  return t;
}

void multiply(double a, const Matrix& m, const Vector& x, Vector& y) {
  dense_kernels().multiply(a, m.data.data(), m.rows, m.cols, x.data(), y.data());
}

void multiply_transposed(double a, const Matrix& m, const Vector& x, Vector& y) {
  dense_kernels().add_product(a, m.rows, x.data(), 1, 1, m.data.data(), m.cols, m.cols, y.data(), m.cols,
                              false);
}

void add_sizes(const Matrix& m, const Vector& x, Vector& y) {
  dense_kernels().multiply_sizes(m.data.data(), m.rows, m.cols, x.data(), y.data());
}

void add_transposed_sizes(const Matrix& m, const Vector& x, Vector& y) {
  dense_kernels().add_sizes_transposed(m.data.data(), m.rows, m.cols, x.data(), y.data());
}

Vector largest_products(const Matrix& m, const Vector& x) {
  Vector most(m.rows);
  dense_kernels().largest_products(m.data.data(), m.rows, m.cols, x.data(), most.data());
  return most;
}

void add_gram(double a, const Matrix& m, Matrix& h) {
  dense_kernels().add_product(a, m.rows, m.data.data(), m.cols, m.cols, m.data.data(), m.cols, m.cols,
                              h.data.data(), h.cols, true);
}

bool factorize(Matrix& m, double smallest) {
  return dense_kernels().factorize(m.data.data(), m.rows, smallest);
}

bool plainly_definite(Matrix& m, double plainly) {
  Vector diagonal;
  for (std::int64_t i = 0; i < m.rows; ++i) diagonal.push_back(m[i][i]);
  if (!factorize(m, 0.0)) return false;
  for (std::int64_t i = 0; i < m.rows; ++i) {
    if (!(m[i][i] * m[i][i] > plainly * diagonal[i])) return false;
  }
  return true;
}

void solve_transposed(const Matrix& factor, Vector& x) {
  dense_kernels().solve_lower(factor.data.data(), factor.rows, x.data());
}

void solve(const Matrix& factor, Vector& x) {
  dense_kernels().solve_upper(factor.data.data(), factor.rows, x.data());
}

void solve_both(const Matrix& factor, Vector& x) {
  dense_kernels().solve_both(factor.data.data(), factor.rows, x.data());
}

void solve_transposed(const Matrix& factor, Matrix& m) {
  dense_kernels().solve_transposed(factor.data.data(), factor.rows, m.data.data(), m.cols);
}

Vector solve_by_complement(const Matrix& u, const Matrix& reached, const Matrix& k, const Vector& g,
                           Vector& f) {
  solve_transposed(u, f);
  Vector dual = g;
  for (double& v : dual) v = -v;
  multiply_transposed(1.0, reached, f, dual);
  solve_both(k, dual);
  multiply(-1.0, reached, dual, f);
  solve(u, f);
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
