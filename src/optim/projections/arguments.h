#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stillpoint/optim/row_number.h"

// What the projections do with their arguments.
namespace stillpoint::detail {

/// Throws unless `t` is in float or double, `[B, …]` with so many dimensions, none of which but B is empty.
void check_rows(const char* what, const at::Tensor& t, std::int64_t dimensions = 2);

/// `number` as `[B, 1]` or `[1, 1]`, like y, which is `[B, …]`.
at::Tensor number_column(const char* what, const optim::RowNumber& number, const at::Tensor& y);

/// The same; throws unless all numbers are > 0.
at::Tensor positive_column(const char* what, const optim::RowNumber& number, const at::Tensor& y);

/// `t`, which is `shape` or one of these for each row of y, as `[B, shape…]`.
at::Tensor for_each_row(const char* what, const at::Tensor& t, at::IntArrayRef shape, const at::Tensor& y);

/// x, but NaN, as are its derivatives, in the rows where there is nothing to project onto. `exists` is
/// boolean and broadcasts against x.
at::Tensor where_exists(const at::Tensor& exists, const at::Tensor& x);

/// The projection of y, which is NaN in these rows, as are its derivatives in all that it reads, also where
/// an entry of y would not have counted.
template <class Project>
at::Tensor project_where(const at::Tensor& exists, const at::Tensor& y, const Project& project) {
  return where_exists(exists, project(where_exists(exists, y.contiguous())));
}

/// The Euclidean norm of each row, `[B, 1]`, of numbers of any size. It has no derivative at zero.
at::Tensor norm_column(const at::Tensor& x);

}  // namespace stillpoint::detail
