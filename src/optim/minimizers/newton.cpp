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

struct NewtonStep {
  at::Tensor direction;
  detail::DirectionAt again;  // empty unless steps are kept
};

// The Hessian step as a function of x, where a sample's matrix is definite; else by the `inverse` it had
// then.
detail::DirectionAt newton_again(const at::Tensor& definite, const at::Tensor& inverse,
                                 const at::Tensor& free) {
  return [=](const at::Tensor& x, const at::Tensor& gradient) {
    const at::Tensor b = -(free * gradient).reshape({x.size(0), -1, 1});
    const at::Tensor f = free.reshape({x.size(0), -1});
    const at::Tensor hessian = detail::hessian_of(gradient, x);
    const at::Tensor masked = hessian * f.unsqueeze(1) * f.unsqueeze(2) + at::diag_embed(1 - f);
    const at::Tensor unit = at::eye(f.size(1), f.options()).unsqueeze(0);
    const at::Tensor exact = at::linalg_solve(at::where(definite, masked, unit), b);
    if (!inverse.defined()) return exact.reshape(x.sizes());
    return at::where(definite, exact, at::matmul(inverse, b)).reshape(x.sizes());
  };
}

NewtonStep newton_step(const detail::Descent& descent) {
  const at::Tensor gradient = descent.free_gradient();
  const at::Tensor free = descent.freedom();
  const at::Tensor held = 1 - free.reshape({gradient.size(0), -1});
  const at::Tensor hessian = descent.hessian();
  const at::Tensor b = -gradient.reshape({gradient.size(0), -1, 1});
  const auto [factor, failed] = at::linalg_cholesky_ex(hessian + at::diag_embed(held));
  at::Tensor step = at::cholesky_solve(b, factor);
  const at::Tensor right = failed.eq(0).logical_and(step.isfinite().all(2).all(1)).reshape({-1, 1, 1});
  const bool all_right = right.all().item<bool>();
  if (!all_right) step = at::where(right, step, solve_by_moduli(hessian, b));
  NewtonStep result{step.reshape(gradient.sizes()).contiguous(), {}};
  if (descent.keeps_steps()) {
    const at::Tensor unit = at::eye(held.size(1), held.options()).expand_as(hessian);
    result.again = newton_again(right, all_right ? at::Tensor() : solve_by_moduli(hessian, unit), free);
  }
  return result;
}

}  // namespace

void Newton::minimize(detail::Descent& descent) const {
  descent.look_for_saddles();
  while (descent.goes_on()) {
    const NewtonStep step = newton_step(descent);
    descent.advance(step.direction, step.again);
  }
}

}  // namespace stillpoint::optim
