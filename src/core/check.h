#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::detail {

[[noreturn]] void fail_like(const char* what, const at::Tensor& got, const at::Tensor& like);

/// Throws unless `got` has the shape, dtype and device of `like`. The message begins with `what`.
inline void check_like(const char* what, const at::Tensor& got, const at::Tensor& like) {
  if (!got.defined() || got.sizes() != like.sizes() || got.scalar_type() != like.scalar_type() ||
      got.device() != like.device()) {
    fail_like(what, got, like);
  }
}

/// Throws unless `state` is a floating-point tensor `[B, …]`.
void check_state(const char* what, const at::Tensor& state);

}  // namespace stillpoint::detail
