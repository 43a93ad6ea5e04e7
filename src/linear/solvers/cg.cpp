#include "stillpoint/linear/solvers/cg.h"

#include <ATen/Functions.h>

#include "core/rows/rows.h"
#include "linear/half_precision.h"
#include "linear/vectors.h"
#include "stillpoint/core/monitor.h"

namespace stillpoint {
namespace {

Solution<at::Tensor> conjugate_gradients(const LinearOperator& a, const detail::UnitSystem& system,
                                         const ResolvedTolerance& tolerance, std::int64_t max_iterations) {
  Solution<at::Tensor> solution;
  Stats& stats = solution.stats;
  stats.method = "Cg";
  Monitor monitor(tolerance, max_iterations, system.b.size(0));
  monitor.park_stalled(detail::stall_window(system.b, max_iterations));
  RowNorms norms;
  norms.scale = system.right_side_norms(tolerance.norm);

  auto [x, r] = detail::start_from(a, system.b, system.x0, stats);
  at::Tensor p = r;
  at::Tensor rr = detail::row_dot(r, r);
  while (true) {
    norms.residual = system.norms(r, tolerance.norm);
    if (!monitor.update(x, norms)) break;
    const at::Tensor ap = a.mv(p);
    ++stats.evaluations;
    const at::Tensor alpha = detail::quotient_or_zero(rr, detail::row_dot(p, ap));
    x = at::addcmul(x, alpha, p);
    r = at::addcmul(r, alpha, ap, -1);
    const at::Tensor rr_next = detail::row_dot(r, r);
    p = at::addcmul(r, detail::quotient_or_zero(rr_next, rr), p);
    rr = rr_next;
  }
  solution.value = monitor.best();
  monitor.write(stats);
  return solution;
}

}  // namespace

Solution<at::Tensor> Cg::solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                               const ResolvedTolerance& tolerance) const {
  TORCH_CHECK(max_iterations >= 0, "Cg.max_iterations: expected ≥ 0, got ", max_iterations);
  if (detail::is_half_precision(b.scalar_type())) return detail::solve_widened(*this, a, b, x0, tolerance);
  return detail::run_confirmed(a, b, x0, tolerance, max_iterations,
                               [&](const detail::UnitSystem& system, std::int64_t allowed) {
                                 return conjugate_gradients(a, system, tolerance, allowed);
                               });
}

}  // namespace stillpoint
