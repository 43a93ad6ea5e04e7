#include "optim/minimizers/bounds.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <algorithm>

namespace stillpoint::detail {
namespace {

bool broadcasts_to(const at::Tensor& bound, const at::Tensor& x) {
  if (bound.dim() > x.dim()) return false;
  for (std::int64_t i = 1; i <= bound.dim(); ++i) {
    if (bound.size(-i) != 1 && bound.size(-i) != x.size(-i)) return false;
  }
  return true;
}

void check_side(const char* name, const at::Tensor& bound, const at::Tensor& x0) {
  if (!bound.defined()) return;
  TORCH_CHECK(broadcasts_to(bound, x0), name, ": expected a shape that broadcasts to ", x0.sizes(),
              " as of x0, got ", bound.sizes());
  TORCH_CHECK(bound.scalar_type() == x0.scalar_type() && bound.device() == x0.device(), name, ": expected ",
              x0.scalar_type(), " on ", x0.device(), " as x0, got ", bound.scalar_type(), " on ",
              bound.device());
  TORCH_CHECK(!bound.isnan().any().item<bool>(), name, ": expected numbers or infinity, got NaN");
}

}  // namespace

void Bounds::check(const at::Tensor& x0) const {
  check_side("lower", lower, x0);
  check_side("upper", upper, x0);
  TORCH_CHECK(!lower.defined() || !upper.defined() || (lower <= upper).all().item<bool>(),
              "lower: expected lower ≤ upper");
}

Bounds Bounds::detached() const {
  return {lower.defined() ? lower.detach() : lower, upper.defined() ? upper.detach() : upper};
}

at::Tensor Bounds::project(const at::Tensor& x) const {
  at::Tensor result = x;
  if (lower.defined()) result = at::where(result < lower, lower, result);
  if (upper.defined()) result = at::where(result > upper, upper, result);
  return result;
}

at::Tensor Bounds::start(const at::Tensor& x0) const {
  const at::NoGradGuard no_grad;
  return project(x0.is_inference() ? x0.clone() : x0.detach()).contiguous();
}

at::Tensor Bounds::holds(const at::Tensor& x, const at::Tensor& gradient) const {
  at::Tensor held = at::zeros_like(x, at::kBool);
  if (lower.defined()) held = held.logical_or((x <= lower).logical_and(gradient > 0));
  if (upper.defined()) held = held.logical_or((x >= upper).logical_and(gradient < 0));
  return held;
}

at::Tensor Bounds::residual(const at::Tensor& x, const at::Tensor& gradient) const {
  at::Tensor result = gradient;
  const at::Tensor aim = (x - gradient).detach();
  if (lower.defined()) result = at::where(aim < lower.detach(), x - lower, result);
  if (upper.defined()) result = at::where(aim > upper.detach(), x - upper, result);
  return result;
}

}  // namespace stillpoint::detail
