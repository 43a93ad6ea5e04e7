#include "core/check.h"

#include <ATen/TracerMode.h>
#include <c10/util/Exception.h>

namespace stillpoint::detail {
namespace {

bool is_transformed(const at::Tensor& t) {
  using c10::DispatchKey;
  return t.key_set().has_any(c10::DispatchKeySet(
      {DispatchKey::Batched, DispatchKey::FuncTorchBatched, DispatchKey::FuncTorchGradWrapper}));
}

}  // namespace

void fail_like(const char* what, const at::Tensor& got, const at::Tensor& like) {
  TORCH_CHECK(got.defined(), what, ": expected a tensor of shape ", like.sizes(), ", got an undefined one");
  TORCH_CHECK(false, what, ": expected shape ", like.sizes(), ", ", like.scalar_type(), ", on ",
              like.device(), "; got ", got.sizes(), ", ", got.scalar_type(), ", on ", got.device());
}

void check_no_transform(const char* what, const at::Tensor& t) {
  TORCH_CHECK(!at::tracer::impl::is_dispatch_enabled(), what,
              ": expected no torch::jit tracing, which would record the steps of one solve as if they were "
              "always the same, and no derivative; script or trace the cell, and solve around it");
  TORCH_CHECK(
      !is_transformed(t), what,
      ": expected a plain tensor, got one of vmap or functorch, whose transforms do not reach through "
      "a solve; write the batch as the first dimension, and take derivatives with autograd, jvp or hvp");
  TORCH_CHECK(
      !t._fw_grad(/*level=*/0).defined(), what,
      ": expected a plain tensor, got one with a forward-mode tangent, which does not reach through a "
      "solve; stillpoint::jvp gives the same product");
}

void check_state(const char* what, const at::Tensor& state) {
  TORCH_CHECK(state.defined(), what, ": expected a tensor [B, …], got an undefined one");
  TORCH_CHECK(state.dim() > 0, what,
              ": expected a tensor [B, …] with the batch as its first dimension, got one "
              "without dimensions; unsqueeze(0) makes a batch of one");
  TORCH_CHECK(at::isFloatingType(state.scalar_type()), what, ": expected a floating-point dtype, got ",
              state.scalar_type());
  check_no_transform(what, state);
}

at::Tensor evaluate(const Map& f, const char* name, const at::Tensor& z, const char* like) {
  at::Tensor result;
  try {
    result = f(z);
  } catch (c10::Error& error) {
    error.add_context(c10::str("thrown by ", name, " at a tensor like ", like, ": shape ", z.sizes(), ", ",
                               z.scalar_type(), ", on ", z.device()));
    throw;
  }
  check_like(name, result, z);
  check_no_transform(name, result);
  return result;
}

}  // namespace stillpoint::detail
