#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/core/operator.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"

namespace stillpoint::detail {

/// b − A x, with one product.
at::Tensor residual(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x);

std::vector<double> zero_where_not_finite(std::vector<double> numbers);

/// The norms of the right-hand sides, which the relative tolerance multiplies. Zero for one that is not
/// finite, to which nothing is a solution.
std::vector<double> right_side_norms(const at::Tensor& b, Norm norm);

/// Replaces the residuals that a solve reports by true ones, whether they came from a recurrence, an
/// estimate, or from a product written by hand in the place of `a`, at the cost of one product. Samples whose
/// true residual is not finite have failed; those that had converged and whose true residual is beyond the
/// tolerance (and its rounding) become inaccurate.
void confirm(const LinearOperator& a, const at::Tensor& b, const ResolvedTolerance& tolerance,
             Solution<at::Tensor>& solution);
/// The same where b − A x is known already.
void confirm(const at::Tensor& residual, const at::Tensor& b, const ResolvedTolerance& tolerance,
             Stats& stats);

}  // namespace stillpoint::detail
