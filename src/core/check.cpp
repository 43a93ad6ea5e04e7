#include "core/check.h"

#include <c10/util/Exception.h>

namespace stillpoint::detail {

void fail_like(const char* what, const at::Tensor& got, const at::Tensor& like) {
  TORCH_CHECK(got.defined(), what, ": expected a tensor of shape ", like.sizes(), ", got an undefined one");
  TORCH_CHECK(false, what, ": expected shape ", like.sizes(), ", ", like.scalar_type(), ", on ",
              like.device(), "; got ", got.sizes(), ", ", got.scalar_type(), ", on ", got.device());
}

void check_state(const char* what, const at::Tensor& state) {
  TORCH_CHECK(state.defined(), what, ": expected a tensor [B, …], got an undefined one");
  TORCH_CHECK(state.dim() > 0, what,
              ": expected a tensor [B, …] with the batch as its first dimension, got one "
              "without dimensions; unsqueeze(0) makes a batch of one");
  TORCH_CHECK(at::isFloatingType(state.scalar_type()), what, ": expected a floating-point dtype, got ",
              state.scalar_type());
}

}  // namespace stillpoint::detail
