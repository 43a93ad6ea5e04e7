#include "stillpoint/equations/gradients/implicit_gradient.h"

#include <c10/util/Exception.h>

#include <memory>
#include <utility>

#include "equations/gradients/adjoint_reuse.h"
#include "stillpoint/autograd/implicit.h"
#include "stillpoint/linear/linear_solve.h"

namespace stillpoint {

at::Tensor ImplicitGradient::differentiate(FixedPointProblem& problem) const {
  const bool reuses = reuse != Reuse::None;
  TORCH_CHECK(!reuses || !warm_start,
              "warm_start: expected none beside reuse, which starts from what the solver left");
  ImplicitRule rule{.equation = problem.f.equation(),
                    .solve = adjoint_solve(linear_solver),
                    .tolerance = tolerance,
                    .on_failure = problem.on_failure,
                    .transposed_jacobian = transposed_jacobian};
  if (reuses) problem.monitor.ask_for_inverse();
  const at::Tensor z = problem.solve();
  if (reuses) {
    const Map& inverse = problem.monitor.inverse();
    TORCH_CHECK(inverse != nullptr,
                "reuse: expected a solver that leaves an inverse of its Jacobian (Newton, Chord, Broyden, or "
                "one that calls Monitor::leave_inverse), but ",
                problem.solver.name(), " left none; use Reuse::None");
    rule.first_order_solve = detail::preconditioned_solve(linear_solver, inverse);
    if (reuse == Reuse::Approximation) rule.adjoint_estimate = inverse;
  } else if (warm_start) {
    rule.first_order_solve = detail::warm_started_solve(linear_solver, warm_start);
  }
  problem.stats.backward = std::make_shared<Stats>();
  return implicit(problem.f.checked(), z, std::move(rule), problem.stats.backward);
}

}  // namespace stillpoint
