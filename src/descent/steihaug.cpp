#include "descent/steihaug.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

// The t ≥ 0 with ‖d + t p‖ = radius, from within, in the form without cancellation.
at::Tensor to_border(const at::Tensor& d, const at::Tensor& p, const at::Tensor& radius) {
  const at::Tensor along = row_dot(d, p);
  const at::Tensor square = row_dot(p, p);
  const at::Tensor room = (radius.square() - row_dot(d, d)).clamp_min(0);
  const at::Tensor root = (along.square() + square * room).sqrt();
  return at::where(along > 0, quotient_or_zero(room, along + root), quotient_or_zero(root - along, square));
}

}  // namespace

ModelStep steihaug(const Map& hessian, const at::Tensor& gradient, const at::Tensor& radius,
                   const at::Tensor& allowed, std::int64_t max_products) {
  at::Tensor d = at::zeros_like(gradient);
  at::Tensor r = gradient;
  at::Tensor p = -gradient;
  at::Tensor size = row_dot(r, r);
  at::Tensor runs = size > allowed.square();
  for (std::int64_t i = 0; i < max_products && runs.any().item<bool>(); ++i) {
    const at::Tensor product = hessian(p.contiguous());
    const at::Tensor curvature = row_dot(p, product);
    const at::Tensor inner = size / curvature;
    const at::Tensor border = to_border(d, p, radius);
    const at::Tensor stays = (curvature > 0).logical_and(inner < border);
    const at::Tensor length = at::where(runs, at::where(stays, inner, border), at::zeros_like(size));
    d = d + length * p;
    r = r + length * finite_or_zero(product);
    runs = runs.logical_and(stays);
    const at::Tensor next = row_dot(r, r);
    p = at::where(runs, next / size * p - r, p);
    size = at::where(runs, next, size);
    runs = runs.logical_and(size > allowed.square());
  }
  return {d.contiguous(), (r - gradient).contiguous()};
}

}  // namespace stillpoint::detail
