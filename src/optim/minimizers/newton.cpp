#include "stillpoint/optim/minimizers/newton.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "optim/minimizers/descent.h"

namespace stillpoint::optim {
namespace {

// H⁻¹ b with the absolute values of the eigenvalues, none of them less than rounding makes of zero. Where all
// are zero, b.
at::Tensor solve_by_moduli(const at::Tensor& hessian, const at::Tensor& b) {
  const auto [values, vectors] = at::linalg_eigh(detail::finite_or_zero(hessian));
  const at::Tensor moduli = values.abs();
  const at::Tensor largest = moduli.amax(1, true);
  const double least = std::sqrt(detail::machine_epsilon(b.scalar_type()));
  const at::Tensor safe = at::where(largest > 0, at::maximum(moduli, least * largest), 1);
  return at::matmul(vectors, at::matmul(vectors.transpose(1, 2), b) / safe.unsqueeze(2));
}

at::Tensor newton_direction(const detail::Descent& descent) {
  const at::Tensor gradient = descent.free_gradient();
  const at::Tensor held = 1 - descent.freedom().reshape({gradient.size(0), -1});
  const at::Tensor hessian = descent.hessian();
  const at::Tensor b = -gradient.reshape({gradient.size(0), -1, 1});
  const auto [factor, failed] = at::linalg_cholesky_ex(hessian + at::diag_embed(held));
  at::Tensor step = at::cholesky_solve(b, factor);
  const at::Tensor right = failed.eq(0).logical_and(step.isfinite().all(2).all(1));
  if (!right.all().item<bool>()) {
    step = at::where(right.reshape({-1, 1, 1}), step, solve_by_moduli(hessian, b));
  }
  return step.reshape(gradient.sizes()).contiguous();
}

}  // namespace

void Newton::minimize(detail::Descent& descent) const {
  descent.look_for_saddles();
  while (descent.goes_on()) descent.advance(newton_direction(descent));
}

}  // namespace stillpoint::optim
