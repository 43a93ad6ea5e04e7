#include "stillpoint/linear/solvers/bicgstab.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "linear/half_precision.h"
#include "linear/vectors.h"
#include "stillpoint/core/monitor.h"

namespace stillpoint {
namespace {

Solution<at::Tensor> stabilized_biconjugate_gradients(const LinearOperator& a,
                                                      const detail::UnitSystem& system,
                                                      const ResolvedTolerance& tolerance,
                                                      std::int64_t max_iterations) {
  using detail::quotient_or_zero;
  using detail::row_dot;
  Solution<at::Tensor> solution;
  Stats& stats = solution.stats;
  stats.method = "BiCgStab";
  Monitor monitor(tolerance, max_iterations, system.b.size(0));
  monitor.park_stalled(detail::stall_window(system.b, max_iterations));
  RowNorms norms;
  norms.scale = system.right_side_norms(tolerance.norm);
  const double epsilon = detail::machine_epsilon(system.b.scalar_type());

  auto [x, r] = detail::start_from(a, system.b, system.x0, stats);
  at::Tensor shadow = r;
  at::Tensor p = r;
  at::Tensor rho = row_dot(shadow, r);
  while (true) {
    norms.residual = system.norms(r, tolerance.norm);
    if (!monitor.update(x, norms)) break;
    const at::Tensor ap = a.mv(p);
    const at::Tensor alpha = quotient_or_zero(rho, row_dot(shadow, ap));
    const at::Tensor s = at::addcmul(r, alpha, ap, -1);
    const at::Tensor as = a.mv(s);
    stats.evaluations += 2;
    const at::Tensor omega = quotient_or_zero(row_dot(as, s), row_dot(as, as));
    x = at::addcmul(at::addcmul(x, alpha, p), omega, s);
    r = at::addcmul(s, omega, as, -1);

    // Where the residual has become orthogonal to its shadow, the recurrence starts again from here.
    at::Tensor rho_next = row_dot(shadow, r);
    const at::Tensor rr = row_dot(r, r);
    const at::Tensor broken = rho_next.abs() <= epsilon * (row_dot(shadow, shadow) * rr).sqrt();
    const at::Tensor beta = quotient_or_zero(rho_next, rho) * quotient_or_zero(alpha, omega);
    p = at::where(broken, r, at::addcmul(r, beta, at::addcmul(p, omega, ap, -1)));
    shadow = at::where(broken, r, shadow);
    rho = at::where(broken, rr, rho_next);
  }
  solution.value = monitor.best();
  monitor.write(stats);
  return solution;
}

}  // namespace

Solution<at::Tensor> BiCgStab::solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                     const ResolvedTolerance& tolerance) const {
  TORCH_CHECK(max_iterations >= 0, "BiCgStab.max_iterations: expected ≥ 0, got ", max_iterations);
  if (detail::is_half_precision(b.scalar_type())) return detail::solve_widened(*this, a, b, x0, tolerance);
  return detail::run_confirmed(a, b, x0, tolerance, max_iterations,
                               [&](const detail::UnitSystem& system, std::int64_t allowed) {
                                 return stabilized_biconjugate_gradients(a, system, tolerance, allowed);
                               });
}

}  // namespace stillpoint
