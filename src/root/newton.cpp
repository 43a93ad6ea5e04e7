#include "stillpoint/root/newton.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <vector>

#include "core/rows.h"
#include "root/inverse_jacobian.h"
#include "root/step_search.h"
#include "stillpoint/root/linearization.h"

namespace stillpoint {
namespace {

// The Newton step for each sample, with A written out; the residual itself where that is not to be had.
at::Tensor newton_direction(const at::Tensor& matrix, const at::Tensor& r) {
  const at::Tensor rhs = detail::widened(r.reshape({r.size(0), detail::row_width(r), 1}));
  const at::Tensor d = std::get<0>(at::linalg_solve_ex(detail::widened(matrix), rhs)).squeeze(2);
  const at::Tensor usable = at::isfinite(d).all(1, /*keepdim=*/true);
  return at::where(usable, d, rhs.squeeze(2)).view(r.sizes()).to(r.scalar_type());
}

}  // namespace

void Newton::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(max_halvings >= 0, "Newton.max_halvings: expected ≥ 0, got ", max_halvings);
  detail::LinearizedPoint point(f, z0, monitor);
  at::Tensor kept;  // for who asks: of each sample the Jacobian of its last step
  while (monitor.update(point.z, point.norms)) {
    const at::Tensor matrix = point.linearization->dense();
    if (monitor.inverse_wanted()) {
      kept = kept.defined() ? detail::select_rows(monitor.running(), matrix, kept) : matrix;
    }
    std::vector<at::Tensor> steps{newton_direction(matrix, point.linearization->residual())};
    if (f.equation() == Equation::FixedPoint) steps.push_back(point.linearization->residual());
    detail::search_step(f, monitor, steps, max_halvings, point);
  }
  if (!monitor.inverse_wanted()) return;
  if (kept.defined()) {
    detail::leave_inverse(monitor, detail::inverse_or_identity(kept));
  } else {
    detail::leave_inverse_at(monitor, *point.linearization);
  }
}

}  // namespace stillpoint
