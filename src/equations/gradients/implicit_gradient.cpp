#include "stillpoint/equations/gradients/implicit_gradient.h"

#include <c10/util/Exception.h>

#include <memory>
#include <utility>

#include "core/check.h"
#include "core/confirm.h"
#include "equations/gradients/adjoint_reuse.h"
#include "stillpoint/autograd/implicit.h"

namespace stillpoint {
namespace {

// Solves with a product u ↦ Jᵀu written by hand; what that leads to is held against the recorded one.
ImplicitRule::FirstOrder by_hand(std::function<Map(const at::Tensor& z)> transposed_jacobian,
                                 Condition condition, LinearSolver solver) {
  return [transposed_jacobian = std::move(transposed_jacobian), condition = std::move(condition),
          solver = std::move(solver)](const LinearOperator& a, const at::Tensor& z, const at::Tensor& g,
                                      const ResolvedTolerance& tolerance) {
    const LinearOperator own = condition.negative_jacobian(transposed_jacobian(z));
    Solution<at::Tensor> adjoint = solver.solve(own, g, {}, tolerance);
    detail::confirm(a, g, tolerance, adjoint);
    return adjoint;
  };
}

ImplicitRule::FirstOrder estimate_by(Map transposed_inverse) {
  return [transposed_inverse = std::move(transposed_inverse)](const LinearOperator& a,
                                                              const at::Tensor& /*z*/, const at::Tensor& g,
                                                              const ResolvedTolerance& tolerance) {
    Solution<at::Tensor> adjoint{transposed_inverse(g), {}};
    detail::check_like("transposed_inverse", adjoint.value, g);
    adjoint.stats.method = "estimate";
    adjoint.stats.advice = [](Status) { return "use Reuse::Preconditioner, which solves the system"; };
    adjoint.stats.status.assign(g.size(0), Status::Converged);
    adjoint.stats.iterations.assign(g.size(0), 0);
    detail::confirm(a, g, tolerance, adjoint);
    return adjoint;
  };
}

}  // namespace

at::Tensor ImplicitGradient::differentiate(Problem& problem) const {
  const bool reuses = reuse != Reuse::None;
  TORCH_CHECK(!reuses || !warm_start,
              "warm_start: expected none beside reuse, which starts from what the solver left");
  Map inverse;
  const at::Tensor z = problem.solve(reuses ? &inverse : nullptr);
  TORCH_CHECK(
      !reuses || inverse != nullptr,
      "reuse: expected a solver that leaves an inverse of its Jacobian (Newton, Chord, Broyden, or one "
      "of your own that does), but ",
      problem.solver.name(), " left none; use Reuse::None");

  ImplicitRule rule{.solver = linear_solver, .tolerance = tolerance, .on_failure = problem.on_failure};
  LinearSolver first_order = linear_solver;
  if (reuses) first_order = detail::PreconditionedSolver{linear_solver, inverse};
  if (warm_start) first_order = detail::WarmStartedSolver{linear_solver, warm_start};
  const Condition condition = problem.f.checked();
  if (transposed_jacobian) {
    rule.first_order = by_hand(transposed_jacobian, condition, first_order);
  } else if (reuses || warm_start) {
    rule.first_order = [first_order](const LinearOperator& a, const at::Tensor& /*z*/, const at::Tensor& g,
                                     const ResolvedTolerance& resolved) {
      return first_order.solve(a, g, {}, resolved);
    };
  }
  if (reuse == Reuse::Approximation) rule.estimate = estimate_by(inverse);
  problem.stats.backward = std::make_shared<Stats>();
  return implicit(condition, z, std::move(rule), problem.stats.backward);
}

}  // namespace stillpoint
