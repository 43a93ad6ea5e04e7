#pragma once

#include <optional>
#include <vector>

#include "stillpoint/core/map.h"
#include "stillpoint/core/tolerance.h"
#include "stillpoint/equations/gradient.h"

namespace stillpoint::detail {

/// The options that `fixed_point` and `root` have in common.
struct EquationOptions {
  template <class Options>
  explicit EquationOptions(const Options& options)
      : solver(options.solver),
        gradient(options.gradient),
        tolerance(options.tolerance),
        max_iterations(options.max_iterations),
        stall_window(options.stall_window),
        time_limit(options.time_limit),
        on_failure(options.on_failure),
        criterion(options.criterion),
        observer(options.observer) {}

  const FixedPointSolver& solver;
  const GradientRule& gradient;
  Tolerance tolerance;
  std::int64_t max_iterations;
  std::optional<std::int64_t> stall_window;
  std::optional<double> time_limit;
  OnFailure on_failure;
  Criterion criterion;
  const Observer& observer;
};

/// Checks, runs the solver, attaches derivatives, reports. `name` is what error messages call the map;
/// `monotone`, the same map, is for solvers that need its parts.
Solution<at::Tensor> solve_equation(const Map& f, const char* name, Equation equation, const at::Tensor& z0,
                                    const EquationOptions& options, const MonotoneMap* monotone = nullptr);

/// The same with finished samples left out of the solve.
Solution<at::Tensor> solve_equation(const MapWithInputs& f, const std::vector<at::Tensor>& inputs,
                                    const char* name, Equation equation, const at::Tensor& z0,
                                    const EquationOptions& options);

/// Both for a state of several tensors, packed into one.
Solution<std::vector<at::Tensor>> solve_equation(const TupleMap& f, const char* name, Equation equation,
                                                 const std::vector<at::Tensor>& z0,
                                                 const EquationOptions& options);
Solution<std::vector<at::Tensor>> solve_equation(const TupleMapWithInputs& f,
                                                 const std::vector<at::Tensor>& inputs, const char* name,
                                                 Equation equation, const std::vector<at::Tensor>& z0,
                                                 const EquationOptions& options);

}  // namespace stillpoint::detail
