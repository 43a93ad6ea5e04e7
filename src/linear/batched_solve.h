#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

// Linear systems with a matrix for each sample, some of which may be singular: matrices `[B, N, N]`, vectors
// `[B, …]` of N numbers a sample. Half precision is solved in float.

/// Of `x`, which should satisfy A x = b, the samples that do, bit by bit. For the others, whose A is
/// singular, or so nearly that x is rounding error, the least-squares solution, of these the shortest, by a
/// singular value decomposition of these samples alone. Its rank is judged, and its length measured, with the
/// columns of A scaled to one size, so that the units of the unknowns do not matter. A system that is not
/// finite counts as the one with the identity: x = b. Only `wanted` samples are looked after. Cost where all
/// is well: one product.
at::Tensor least_squares_where_singular(const at::Tensor& matrix, const at::Tensor& b, const at::Tensor& x,
                                        const Mask& wanted);

/// A⁻¹ b by LU, and the above where that is not to be had.
at::Tensor solve_or_least_squares(const at::Tensor& matrix, const at::Tensor& b, const Mask& wanted);

/// The inverse of each matrix. Where it does not solve the system with `b`, the pseudoinverse, with columns
/// scaled as above; the identity where the matrix is not finite. In float for half precision.
at::Tensor inverse_or_pseudoinverse(const at::Tensor& matrix, const at::Tensor& b);

}  // namespace stillpoint::detail
