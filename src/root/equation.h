#pragma once

#include <vector>

#include "stillpoint/core/map.h"
#include "stillpoint/core/tolerance.h"
#include "stillpoint/root/gradient.h"

namespace stillpoint::detail {

/// A map that can be evaluated for some of the samples.
struct DivisibleMap {
  MapWithInputs f;
  std::vector<at::Tensor> inputs;
};

/// What `fixed_point` and `root` have in common: checks, runs the solver, attaches derivatives, reports.
/// `name` is what error messages call the map. With `divisible`, which is the same map, finished samples are
/// left out of the solve.
Solution<at::Tensor> solve_equation(const Map& f, const char* name, Equation equation, const at::Tensor& z0,
                                    const FixedPointSolver& solver, const GradientRule& gradient,
                                    const Tolerance& tolerance, std::int64_t max_iterations,
                                    OnFailure on_failure, const DivisibleMap* divisible = nullptr);

}  // namespace stillpoint::detail
