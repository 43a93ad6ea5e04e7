#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/core/map.h"

namespace stillpoint::detail {

[[noreturn]] void fail_like(const char* what, const at::Tensor& got, const at::Tensor& like);

/// Throws unless `got` has the shape, dtype and device of `like`. The message begins with `what`.
inline void check_like(const char* what, const at::Tensor& got, const at::Tensor& like) {
  if (!got.defined() || got.sizes() != like.sizes() || got.scalar_type() != like.scalar_type() ||
      got.device() != like.device()) {
    fail_like(what, got, like);
  }
}

/// Throws under torch::jit tracing, and if `t` carries a forward-mode tangent or belongs to vmap or another
/// transform of functorch. They see only the steps that were taken, or nothing of a node of ours: what came
/// out would be wrong in silence.
void check_no_transform(const char* what, const at::Tensor& t);

/// Throws unless `state` is a floating-point tensor `[B, …]`, and nothing of the above.
void check_state(const char* what, const at::Tensor& state);

/// f(z), which has to be like z. Errors, those of LibTorch inside f too, name f as `name`, and say of z that
/// it is like `like`.
at::Tensor evaluate(const Map& f, const char* name, const at::Tensor& z, const char* like);

}  // namespace stillpoint::detail
