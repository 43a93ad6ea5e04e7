#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "core/confirm.h"
#include "stillpoint/core/operator.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"

namespace stillpoint::detail {

/// Where an iteration starts: at x0, or at zero, whose residual costs no product. Contiguous, and x is a
/// tensor of its own.
struct Start {
  at::Tensor x;
  at::Tensor residual;
};
Start start_from(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0, Stats& stats);

/// Of each size a power of two that divides it to a number near 1; 1 for zero and what is not finite.
std::vector<double> power_units(std::vector<double> sizes);

/// A system whose samples are divided by powers of two, so that b is near 1 and inner products neither
/// overflow nor underflow.
struct UnitSystem {
  at::Tensor b;
  at::Tensor x0;  ///< undefined: zero
  std::vector<double> unit;

  /// The norms, in units of the system as it was.
  std::vector<double> norms(const at::Tensor& t, Norm norm) const;
  /// Those of b, as `right_side_norms` has them.
  std::vector<double> right_side_norms(Norm norm) const;
};

/// A method that updates its residual instead of computing it, for at most so many steps.
using Recurrence = std::function<Solution<at::Tensor>(const UnitSystem& system, std::int64_t max_iterations)>;

/// Runs it, and again from where it ended for the samples whose true residual it had drifted from, while
/// their iterations last. One product more a run.
Solution<at::Tensor> run_confirmed(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                   const ResolvedTolerance& tolerance, std::int64_t max_iterations,
                                   const Recurrence& run);

/// Steps in which the residual of a method that ends within as many as a sample is wide, but for rounding,
/// has to halve.
std::int64_t stall_window(const at::Tensor& b, std::int64_t max_iterations);

}  // namespace stillpoint::detail
