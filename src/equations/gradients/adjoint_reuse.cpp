#include "equations/gradients/adjoint_reuse.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <mutex>
#include <utility>
#include <vector>

#include "core/report_lock.h"
#include "core/rows/rows.h"
#include "linear/solve_rest.h"

namespace stillpoint {

// The preconditioner is on the right: Aᵀ Hᵀ w = g, u = Hᵀ w. So the residual is that of u, any linear solver
// serves, and Neumann iteration, which the automatic choice begins with, is iterative refinement from Hᵀ g.
// A sample for which H spoils the system is solved without.
Solution<at::Tensor> detail::PreconditionedSolver::solve(const LinearOperator& a, const at::Tensor& g,
                                                         const at::Tensor& /*u0*/,
                                                         const ResolvedTolerance& tolerance) const {
  const LinearOperator preconditioned{
      .product = [&](const at::Tensor& w) { return a.mv(transposed_inverse(w)); }};
  Solution<at::Tensor> adjoint = solver.solve(preconditioned, g, {}, tolerance);
  adjoint.value = transposed_inverse(adjoint.value);
  adjoint.stats.method = "preconditioned " + adjoint.stats.method;
  if (adjoint.stats.converged()) return adjoint;
  const std::vector<double> from_zero = row_norms(g, tolerance.norm);
  Mask nearer(from_zero.size());
  for (std::size_t b = 0; b < nearer.size(); ++b) nearer[b] = adjoint.stats.residual[b] < from_zero[b];
  adjoint.value = select_rows(nearer, adjoint.value, at::zeros_like(g));
  return solve_rest(solver, a, g, tolerance, adjoint);
}

Solution<at::Tensor> detail::WarmStartedSolver::solve(const LinearOperator& a, const at::Tensor& g,
                                                      const at::Tensor& /*u0*/,
                                                      const ResolvedTolerance& tolerance) const {
  const at::Tensor last = [&] {
    const std::lock_guard<std::mutex> lock(report_lock);
    return start->adjoint;
  }();
  const bool fits = last.defined() && last.sizes() == g.sizes() && last.device() == g.device() &&
                    last.scalar_type() == g.scalar_type();
  Solution<at::Tensor> adjoint = solver.solve(a, g, fits ? last : at::Tensor(), tolerance);
  const at::Tensor end =
      select_rows(adjoint.stats.where(Status::Converged), adjoint.value, at::zeros_like(g));
  const std::lock_guard<std::mutex> lock(report_lock);
  start->adjoint = end;
  return adjoint;
}

}  // namespace stillpoint
