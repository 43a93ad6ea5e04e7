#include "stillpoint/optim/minimizers/gradient_descent.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows/rows.h"
#include "optim/minimizers/descent.h"

namespace stillpoint::optim {
namespace {

constexpr double kWiden = 10.0;  // where nothing is known of the curvature

}  // namespace

void GradientDescent::minimize(detail::Descent& descent) const {
  constexpr std::size_t memory = 10;
  descent.let_rise(memory);
  at::Tensor length;
  while (descent.goes_on()) {
    if (descent.renewed().any()) {
      const at::Tensor first = descent.cauchy_length();
      length = length.defined() ? detail::select_rows(descent.renewed(), first, length) : first;
    }
    const detail::DescentPoint before = descent.point();
    detail::DirectionAt again;
    if (descent.keeps_steps()) {
      again = [scale = -length * descent.freedom()](const at::Tensor& /*x*/, const at::Tensor& gradient) {
        return scale * gradient;
      };
    }
    descent.advance(-length * descent.free_gradient(), again);
    const at::Tensor step = descent.point().x - before.x;
    const at::Tensor curved = detail::row_dot(step, descent.point().gradient - before.gradient);
    const at::Tensor secant = detail::row_dot(step, step) / curved;
    length = at::where(curved > 0, secant, at::where(curved.isfinite(), kWiden * length, length));
  }
}

}  // namespace stillpoint::optim
