#pragma once

#include <cstdint>
#include <vector>

namespace stillpoint::detail {

using Vector = std::vector<double>;

/// A small row-major matrix.
struct Matrix {
  std::int64_t rows = 0, cols = 0;
  Vector data = {};

  Matrix() = default;
  Matrix(std::int64_t r, std::int64_t c) : rows(r), cols(c), data(r * c) {}
  double* operator[](std::int64_t i) { return data.data() + i * cols; }
  const double* operator[](std::int64_t i) const { return data.data() + i * cols; }
};

double dot(const double* a, const double* b, std::int64_t n);
inline double dot(const Vector& a, const Vector& b) {
  return dot(a.data(), b.data(), static_cast<std::int64_t>(a.size()));
}
/// y += a x.
void axpy(double a, const double* x, double* y, std::int64_t n);
inline void axpy(double a, const Vector& x, Vector& y) {
  axpy(a, x.data(), y.data(), static_cast<std::int64_t>(x.size()));
}
double largest(const Vector& v);  ///< max |v|; 0 if empty
double largest(const Matrix& m);  ///< max |m|
double max_diagonal(const Matrix& m);
/// Calls f(column, entry) for a row.
template <class F>
void for_each_in_row(const Matrix& m, std::int64_t row, F&& f) {
  for (std::int64_t j = 0; j < m.cols; ++j) f(j, m[row][j]);
}
/// The power of two next to 1/x, so that scaling by it rounds nothing; 1 for zero.
double inverse_size(double x);
Matrix transposed(const Matrix& m);
Matrix transposed(const Matrix& upper, const Matrix& lower);  ///< of the one above the other

/// y += a M x, and y += a M'x.
void multiply(double a, const Matrix& m, const Vector& x, Vector& y);
void multiply_transposed(double a, const Matrix& m, const Vector& x, Vector& y);
/// y += |M| |x|, y += |M|'|x|, and for x ≥ 0 the largest |entry| x of each row.
void add_sizes(const Matrix& m, const Vector& x, Vector& y);
void add_transposed_sizes(const Matrix& m, const Vector& x, Vector& y);
Vector largest_products(const Matrix& m, const Vector& x);
/// The upper triangle of H += a M'M.
void add_gram(double a, const Matrix& m, Matrix& h);

/// The Cholesky factor U of a symmetric matrix U'U, of which the upper triangle is read and overwritten.
/// False if a pivot is not above `smallest`.
bool factorize(Matrix& m, double smallest);
/// The same; false if the square of a diagonal entry of U is not above `plainly` times that of the matrix,
/// which no scaling of rows and columns changes.
bool plainly_definite(Matrix& m, double plainly);
/// x = U⁻ᵀx, and x = U⁻¹x.
void solve_transposed(const Matrix& factor, Vector& x);
void solve(const Matrix& factor, Vector& x);
void solve_both(const Matrix& factor, Vector& x);  ///< the one, then the other
/// M = U⁻ᵀM.
void solve_transposed(const Matrix& factor, Matrix& m);

/// Solves [H C'; C 0][x; l] = [f; g] by the Cholesky factors U of H and K of C H⁻¹C', with U⁻ᵀC' given in
/// `reached`: f becomes x; returns l.
Vector solve_by_complement(const Matrix& u, const Matrix& reached, const Matrix& k, const Vector& g,
                           Vector& f);

/// Rows made orthogonal by plane rotations (one-sided Jacobi): on return M = U' M_before has orthogonal rows,
/// whose lengths are the singular values. Returns U', orthogonal.
Matrix orthogonalize_rows(Matrix& m);

}  // namespace stillpoint::detail
