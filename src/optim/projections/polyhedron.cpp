#include "stillpoint/optim/projections/polyhedron.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "optim/projections/arguments.h"

namespace stillpoint {

optim::ProgramSolution optim::project_polyhedron(const at::Tensor& y, const Polyhedron& set,
                                                 const QuadraticProgramOptions& options) {
  detail::check_rows("y", y);
  const at::Tensor identity = at::eye(y.size(1), y.options().requires_grad(false));
  return quadratic_program({.Q = identity,
                            .p = -y,
                            .G = set.G,
                            .h = set.h,
                            .A = set.A,
                            .b = set.b,
                            .lower = set.lower,
                            .upper = set.upper},
                           options);
}

}  // namespace stillpoint
