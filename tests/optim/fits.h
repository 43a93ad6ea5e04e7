#pragma once

#include <vector>

#include "optim/programs.h"

namespace stillpoint::test {

/// The one list of solvers of least squares.
inline std::vector<LeastSquaresSolver> least_squares_solvers() {
  return {optim::LevenbergMarquardt{}, optim::Dogleg{}, optim::GaussNewton{}};
}

/// The derivative in `in` of each number of the first row of x.
inline std::vector<Tensor> slopes_of(const Tensor& x, const Tensor& in, bool create_graph = false) {
  std::vector<Tensor> rows;
  rows.reserve(x.size(1));
  for (std::int64_t i = 0; i < x.size(1); ++i) rows.push_back(gradients(x[0][i], {in}, create_graph)[0]);
  return rows;
}

/// The saturation curve b₁ (1 − exp(−b₂ x)) less its data, for parameters `[B, 2]`.
struct Saturation {
  Tensor x, y;

  Tensor operator()(const Tensor& b) const {
    return b.slice(1, 0, 1) * (1 - torch::exp(-b.slice(1, 1, 2) * x)) - y;
  }
};

/// Misra1a of NIST's Statistical Reference Datasets. Its minimum is at (238.9421291788617,
/// .0005501564318059136).
inline Saturation misra1a() {
  return {vector({77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1,
                  760.0}),
          vector({10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47,
                  81.78})};
}

}  // namespace stillpoint::test
