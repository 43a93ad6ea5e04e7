#include "equations/slopes.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cstdint>
#include <functional>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "linear/batched_solve.h"
#include "stillpoint/equations/linearization.h"

namespace stillpoint {
namespace {

// The widest samples whose Jacobian is written out.
constexpr std::int64_t kDenseWidth = 64;

// ‖Jᵀρ‖ in the dual norm.
std::vector<double> slopes_along_residual(const Linearization& here, const std::vector<double>& size,
                                          Norm norm) {
  std::vector<double> unit = size;
  for (double& number : unit) number = number > 0.0 ? number : 1.0;
  const at::Tensor direction = here.residual() / detail::to_column(unit, here.residual());
  const at::Tensor product = here.transposed().mv(direction);
  if (norm != Norm::Maximum) return detail::row_norms(product, norm);
  const std::int64_t batch = direction.size(0);
  const at::Tensor squares = detail::widened(direction).square().reshape({batch, -1}).sum(1);
  const at::Tensor sums = detail::widened(product).abs().reshape({batch, -1}).sum(1);
  return detail::to_host(at::where(squares > 0, sums / squares, squares));
}

// Residuals below this are rounding errors of g.
std::vector<double> rounding(const at::Tensor& matrix, const at::Tensor& z, Norm norm) {
  const double epsilon = detail::machine_epsilon(z.scalar_type());
  std::vector<double> result = detail::row_norms(matrix.contiguous(), Norm::Euclidean);
  const std::vector<double> scale = detail::row_norms(z, norm);
  for (std::size_t b = 0; b < result.size(); ++b) result[b] *= 100.0 * epsilon * scale[b];
  return result;
}

}  // namespace

std::vector<double> detail::slopes(const CheckedMap& g, const at::Tensor& z, Norm norm,
                                   const std::vector<double>& target) {
  const Linearization here(g, z);
  const std::vector<double> size = row_norms(here.residual(), norm);
  std::vector<double> slope = slopes_along_residual(here, size, norm);
  Mask passes(slope.size());
  for (std::size_t b = 0; b < slope.size(); ++b) {
    passes[b] = size[b] > 0.0 && size[b] <= target[b] * slope[b];
  }
  if (row_width(z) > kDenseWidth || !passes.any()) return slope;
  const at::Tensor matrix = widened(here.dense());
  const at::Tensor step = solve_or_least_squares(matrix, widened(here.residual()), passes);
  const std::vector<double> length = row_norms(step.contiguous(), norm);
  const std::vector<double> noise = rounding(matrix, z, norm);
  for (std::size_t b = 0; b < slope.size(); ++b) {
    if (passes[b] && size[b] > noise[b] && length[b] > 0.0) {
      slope[b] = std::min(slope[b], size[b] / length[b]);
    }
  }
  return slope;
}

}  // namespace stillpoint
