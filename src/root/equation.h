#pragma once

#include "stillpoint/core/tolerance.h"
#include "stillpoint/root/gradient.h"

namespace stillpoint::detail {

/// What `fixed_point` and `root` have in common: checks, runs the solver, attaches derivatives, reports.
/// `name` is what error messages call the map.
Solution<at::Tensor> solve_equation(const Map& f, const char* name, Equation equation, const at::Tensor& z0,
                                    const FixedPointSolver& solver, const GradientRule& gradient,
                                    const Tolerance& tolerance, std::int64_t max_iterations,
                                    OnFailure on_failure);

}  // namespace stillpoint::detail
