#include "stillpoint/optim/minimizers/newton_cg.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include "core/rows/rows.h"
#include "optim/minimizers/descent.h"

namespace stillpoint::optim {
namespace {

// H d = −g for each sample until the residual is within `allowed`, or until there is no positive curvature. A
// sample that finds none at once gets −g.
at::Tensor truncated_solve(const Map& hessian, const at::Tensor& gradient, const at::Tensor& allowed,
                           std::int64_t max_products) {
  at::Tensor d = at::zeros_like(gradient);
  at::Tensor r = gradient;
  at::Tensor p = -gradient;
  at::Tensor size = detail::row_dot(r, r);
  at::Tensor runs = size > allowed.square();
  for (std::int64_t i = 0; i < max_products && runs.any().item<bool>(); ++i) {
    const at::Tensor product = hessian(p.contiguous());
    const at::Tensor curvature = detail::row_dot(p, product);
    const at::Tensor curves = curvature > 0;
    if (i == 0) d = at::where(curves, d, p);
    runs = runs.logical_and(curves);
    const at::Tensor length = at::where(runs, size / curvature, at::zeros_like(size));
    d = d + length * p;
    r = r + length * product;
    const at::Tensor next = detail::row_dot(r, r);
    p = at::where(runs, next / size * p - r, p);
    size = at::where(runs, next, size);
    runs = runs.logical_and(size > allowed.square());
  }
  return d;
}

}  // namespace

void NewtonCg::minimize(detail::Descent& descent) const {
  TORCH_CHECK(max_products >= 1, "NewtonCg.max_products: expected ≥ 1, got ", max_products);
  at::Tensor first;  // norms of the gradients at the start
  while (descent.goes_on()) {
    const at::Tensor gradient = descent.free_gradient();
    const at::Tensor size = detail::row_dot(gradient, gradient).sqrt();
    first = first.defined() ? at::maximum(first, size) : size;
    const at::Tensor forcing = (size / first).sqrt().clamp_max(0.5);
    at::Tensor d = truncated_solve(descent.hessian_product(), gradient, forcing * size, max_products);
    descent.advance(d.contiguous());
  }
}

}  // namespace stillpoint::optim
