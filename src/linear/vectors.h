#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"
#include "stillpoint/linear/operator.h"

namespace stillpoint::detail {

/// b − A x, with one product.
at::Tensor residual(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x);

/// Where an iteration starts: at x0, or at zero, whose residual costs no product. Contiguous, and x is a
/// tensor of its own.
struct Start {
  at::Tensor x;
  at::Tensor residual;
};
Start start_from(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0, Stats& stats);

/// Replaces the residuals of a recurrence by true ones, at the cost of one product. Samples whose true
/// residual is not finite have failed; those that had converged and whose true residual is beyond the
/// tolerance (and its rounding) become inaccurate.
void confirm(const LinearOperator& a, const at::Tensor& b, const Tolerance& tolerance,
             Solution<at::Tensor>& solution);

/// A method that updates its residual instead of computing it: from x0, for at most so many steps.
using Recurrence = std::function<Solution<at::Tensor>(const at::Tensor& b, const at::Tensor& x0,
                                                      std::int64_t max_iterations)>;

/// Runs it, and again from where it ended for the samples whose true residual it had drifted from, while
/// their iterations last. One product more a run.
Solution<at::Tensor> run_confirmed(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                   const Tolerance& tolerance, std::int64_t max_iterations,
                                   const Recurrence& run);

/// Inner products of the samples of x and y, shaped to broadcast against them.
at::Tensor row_dot(const at::Tensor& x, const at::Tensor& y);

/// x / y where that is finite, else 0.
at::Tensor quotient_or_zero(const at::Tensor& x, const at::Tensor& y);

}  // namespace stillpoint::detail
