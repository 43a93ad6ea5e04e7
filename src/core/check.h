#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::detail {

/// Throws unless `got` has the shape, dtype and device of `like`. The message begins with `what`.
void check_like(const char* what, const at::Tensor& got, const at::Tensor& like);

/// Throws unless `state` is a floating-point tensor `[B, …]`.
void check_state(const char* what, const at::Tensor& state);

}  // namespace stillpoint::detail
