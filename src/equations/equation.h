#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "stillpoint/core/condition.h"
#include "stillpoint/core/observer.h"
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

/// Checks, runs the solver, attaches derivatives, reports. Finished samples are left out of the solve if the
/// condition has inputs.
Solution<at::Tensor> solve_equation(const Condition& condition, const at::Tensor& z0,
                                    const EquationOptions& options);
/// The same for a state of several tensors, packed into one.
Solution<std::vector<at::Tensor>> solve_equation(const TupleCondition& condition, Form form, const char* name,
                                                 const std::vector<at::Tensor>& z0,
                                                 const EquationOptions& options);

}  // namespace stillpoint::detail
