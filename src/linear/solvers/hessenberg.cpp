#include "linear/solvers/hessenberg.h"

#include <algorithm>
#include <cmath>

namespace stillpoint::detail {

HessenbergProblem::HessenbergProblem(std::int64_t size, double length)
    : size_(size), columns_(size * size), rhs_(size + 1) {
  rhs_[0] = length;
}

double HessenbergProblem::append(std::span<const double> column) {
  const std::int64_t k = count_++;
  std::vector<double> h(column.begin(), column.end());
  for (std::int64_t j = 0; j < k; ++j) {
    const double t = cosines_[j] * h[j] + sines_[j] * h[j + 1];
    h[j + 1] = -sines_[j] * h[j] + cosines_[j] * h[j + 1];
    h[j] = t;
  }
  const double length = std::hypot(h[k], h[k + 1]);
  const bool regular = length > 0.0;
  cosines_.push_back(regular ? h[k] / length : 1.0);
  sines_.push_back(regular ? h[k + 1] / length : 0.0);
  h[k] = length;
  std::copy_n(h.begin(), k + 1, columns_.begin() + k * size_);
  rhs_[k + 1] = -sines_[k] * rhs_[k];
  rhs_[k] *= cosines_[k];
  return std::abs(rhs_[k + 1]);
}

void HessenbergProblem::solve(double* y) const {
  for (std::int64_t i = count_ - 1; i >= 0; --i) {
    double sum = rhs_[i];
    for (std::int64_t j = i + 1; j < count_; ++j) sum -= columns_[j * size_ + i] * y[j];
    const double pivot = columns_[i * size_ + i];
    y[i] = pivot != 0.0 ? sum / pivot : 0.0;
  }
  if (!std::all_of(y, y + count_, [](double v) { return std::isfinite(v); })) std::fill_n(y, count_, 0.0);
}

}  // namespace stillpoint::detail
