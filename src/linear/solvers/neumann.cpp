#include "stillpoint/linear/solvers/neumann.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows/rows.h"
#include "linear/half_precision.h"
#include "linear/solvers/neumann_iteration.h"
#include "linear/vectors.h"

namespace stillpoint {

Solution<at::Tensor> detail::neumann_iteration(const LinearOperator& a, const at::Tensor& b,
                                               const at::Tensor& x0, const ResolvedTolerance& tolerance,
                                               std::int64_t max_iterations, const Promising& promising) {
  Solution<at::Tensor> solution;
  solution.stats.method = "Neumann";
  Monitor monitor(tolerance, max_iterations, b.size(0));
  RowNorms norms;
  Recycler recycler;
  norms.scale = right_side_norms(b, tolerance.norm);
  const at::Tensor offset = b.contiguous();
  // The first step from zero leads to b. A copy, since this may be what is returned.
  at::Tensor x = (x0.defined() ? x0 : b).clone(at::MemoryFormat::Contiguous);
  while (true) {
    at::Tensor next;
    at::Tensor product = a.product(x).contiguous();
    ++solution.stats.evaluations;
    if (a.identity_minus) {
      next = add_and_compare(product, offset, x, tolerance.norm, recycler, norms.residual);
    } else {
      const at::Tensor residual = offset - product;
      norms.residual = row_norms(residual, tolerance.norm);
      next = x + residual;
    }
    if (!monitor.update(x, norms) || !promising(monitor, norms)) break;
    x = next;
  }
  solution.value = monitor.best();
  monitor.write(solution.stats);
  return solution;
}

Solution<at::Tensor> Neumann::solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                    const ResolvedTolerance& tolerance) const {
  TORCH_CHECK(max_iterations >= 0, "Neumann.max_iterations: expected ≥ 0, got ", max_iterations);
  if (detail::is_half_precision(b.scalar_type())) return detail::solve_widened(*this, a, b, x0, tolerance);
  return detail::neumann_iteration(a, b, x0, tolerance, max_iterations,
                                   [](const Monitor&, const RowNorms&) { return true; });
}

}  // namespace stillpoint
