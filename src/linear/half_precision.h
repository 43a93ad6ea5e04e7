#pragma once

#include "core/dtype.h"
#include "stillpoint/core/linear_solver.h"

// Linear algebra of half precision is done in float: sums of halves overflow and lose what they are for, and
// neither factorizations nor batched products are made for them on every device. Products stay as given.
namespace stillpoint::detail {

/// The operator for vectors in float, where its own are of the half precision `dtype`; else `a` itself. A
/// vector is brought to the size of 1 before it is rounded, so that it neither overflows nor underflows.
LinearOperator widened(const LinearOperator& a, at::ScalarType dtype);

/// `solver` on the system in float. The report is of the solution as it is returned, rounded: one product
/// more.
Solution<at::Tensor> solve_widened(const LinearSolver& solver, const LinearOperator& a, const at::Tensor& b,
                                   const at::Tensor& x0, const ResolvedTolerance& tolerance);

}  // namespace stillpoint::detail
