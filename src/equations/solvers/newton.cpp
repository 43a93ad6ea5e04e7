#include "stillpoint/equations/solvers/newton.h"

#include <c10/util/Exception.h>

#include <vector>

#include "core/rows/rows.h"
#include "equations/solvers/inverse_jacobian.h"
#include "equations/solvers/step_search.h"
#include "linear/batched_solve.h"
#include "stillpoint/equations/linearization.h"

namespace stillpoint {

void Newton::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* inverse) const {
  TORCH_CHECK(max_halvings >= 0, "Newton.max_halvings: expected ≥ 0, got ", max_halvings);
  detail::LinearizedPoint point(f, z0, monitor);
  at::Tensor kept;  // for who asks: of each sample the Jacobian of its last step
  while (monitor.update(point.z, point.norms)) {
    const at::Tensor matrix = point.linearization->dense();
    if (inverse != nullptr) {
      kept = kept.defined() ? detail::select_rows(monitor.running(), matrix, kept) : matrix;
    }
    const at::Tensor& r = point.linearization->residual();
    std::vector<at::Tensor> steps{detail::solve_or_least_squares(matrix, r, monitor.running())};
    if (f.form() == Form::FixedPoint) steps.push_back(r);
    detail::search_step(f, monitor, steps, max_halvings, point);
  }
  if (inverse == nullptr) return;
  *inverse = kept.defined()
                 ? detail::transposed_inverse(detail::KeptFactor(kept, point.linearization->residual()))
                 : detail::transposed_inverse_at(*point.linearization);
}

}  // namespace stillpoint
