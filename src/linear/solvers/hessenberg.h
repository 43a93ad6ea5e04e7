#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stillpoint::detail {

/// The least-squares problem ‖length · e₁ − H y‖ of one sample, whose Hessenberg matrix H grows column by
/// column and is kept triangular by Givens rotations. (Saad and Schultz 1986, section 3.2.)
class HessenbergProblem {
 public:
  /// Of at most `size` columns.
  HessenbergProblem(std::int64_t size, double length);

  /// Takes in the next column, of two numbers more than there are columns; returns the residual's norm, which
  /// is NaN if the column is not finite.
  double append(std::span<const double> column);

  /// Writes the y that minimizes the residual, a number a column; zero if it is not finite.
  void solve(double* y) const;

 private:
  std::int64_t size_;
  std::int64_t count_ = 0;
  std::vector<double> columns_;  // column k at k · size
  std::vector<double> rhs_;
  std::vector<double> cosines_;
  std::vector<double> sines_;
};

}  // namespace stillpoint::detail
