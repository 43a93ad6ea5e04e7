#include "stillpoint/root/implicit_gradient.h"

#include <memory>

#include "stillpoint/autograd/implicit.h"
#include "stillpoint/linear/linear_solve.h"

namespace stillpoint {

at::Tensor ImplicitGradient::differentiate(FixedPointProblem& problem) const {
  const at::Tensor z = problem.solve();
  problem.stats.backward = std::make_shared<Stats>();
  return implicit(problem.f.checked(), z,
                  {.equation = problem.f.equation(),
                   .solve = adjoint_solve(linear_solver),
                   .tolerance = tolerance,
                   .on_failure = problem.on_failure,
                   .transposed_jacobian = transposed_jacobian},
                  problem.stats.backward);
}

}  // namespace stillpoint
