#include "stillpoint/optim/minimizers/nonlinear_cg.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include "core/rows/rows.h"
#include "optim/minimizers/descent.h"

namespace stillpoint::optim {
namespace {

// The part of the last direction that goes into the next one: 0 where it is to be forgotten.
at::Tensor polak_ribiere(const at::Tensor& now, const at::Tensor& before) {
  constexpr double far_from_orthogonal = 0.2;
  const at::Tensor size = detail::row_dot(now, now);
  const at::Tensor overlap = detail::row_dot(now, before);
  const at::Tensor part = (size - overlap) / detail::row_dot(before, before);
  const at::Tensor keeps = (part > 0).logical_and(overlap.abs() < far_from_orthogonal * size);
  return at::where(keeps, part, at::zeros_like(part));
}

}  // namespace

void NonlinearCg::minimize(detail::Descent& descent) const {
  TORCH_CHECK(!descent.is_bounded(),
              "solver: expected one that takes bounds (Lbfgs, Bfgs, Newton, NewtonCg, GradientDescent), got "
              "NonlinearCg");
  constexpr double level = 0.1;
  descent.search_until_level(level);
  at::Tensor direction;  // not yet of a length
  at::Tensor length;     // of the step along it
  at::Tensor before;
  while (descent.goes_on()) {
    const at::Tensor gradient = descent.free_gradient();
    at::Tensor next = -gradient;
    if (direction.defined()) {
      const at::Tensor part = polak_ribiere(gradient, before);
      const at::Tensor kept = at::where(part > 0, part * direction, at::zeros_like(direction));
      next = next + kept;
      // As long as would change the value to first order by as much as the last step did.
      length = detail::quotient_or_zero(length * detail::row_dot(before, direction),
                                        detail::row_dot(gradient, next));
    }
    if (descent.renewed().any()) {
      const at::Tensor fresh = descent.cauchy_length();
      next = direction.defined() ? detail::select_rows(descent.renewed(), -gradient, next) : next;
      length = length.defined() ? detail::select_rows(descent.renewed(), fresh, length) : fresh;
    }
    const at::Tensor x = descent.point().x;
    descent.advance((length * next).contiguous());
    const at::Tensor moved = descent.point().x - x;
    length = detail::quotient_or_zero(detail::row_dot(moved, next), detail::row_dot(next, next));
    direction = next;
    before = gradient;
  }
}

}  // namespace stillpoint::optim
