#include "stillpoint/autograd/products.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/check.h"

namespace stillpoint {
namespace {

// An alias of x that gradients can be asked for; it keeps its place in the graph of x, if that has one.
at::Tensor as_input(const at::Tensor& x) {
  if (x.is_inference()) return x.clone().requires_grad_();
  return x.requires_grad() ? x.view_as(x) : x.detach().requires_grad_();
}

// vᵀ ∂y/∂x as a function that can be differentiated again; zeros where y does not depend on x.
at::Tensor gradient(const at::Tensor& y, const at::Tensor& x, const at::Tensor& v, bool create_graph) {
  at::Tensor result;
  if (y.requires_grad()) {
    result =
        torch::autograd::grad({y}, {x}, {v}, /*retain_graph=*/true, create_graph, /*allow_unused=*/true)[0];
  }
  return result.defined() ? result : at::zeros_like(x);
}

Product finish(const at::Tensor& value, const at::Tensor& product, bool create_graph) {
  return create_graph ? Product{value, product} : Product{value.detach(), product.detach()};
}

}  // namespace

Product jvp(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, const at::Tensor& v,
            bool create_graph) {
  detail::check_like("v", v, x);
  const c10::InferenceMode no_inference(false);  // which would record nothing
  const at::AutoGradMode recording(true);
  const at::Tensor input = as_input(x);
  const at::Tensor y = f(input);
  // uᵀJ is linear in u, and its derivative in the direction v is J v.
  const at::Tensor u = at::zeros_like(y).requires_grad_();
  const at::Tensor pulled_back = gradient(y, input, u, true);
  return finish(y, gradient(pulled_back, u, v, create_graph), create_graph);
}

Product hvp(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, const at::Tensor& v,
            bool create_graph) {
  detail::check_like("v", v, x);
  const c10::InferenceMode no_inference(false);
  const at::AutoGradMode recording(true);
  const at::Tensor input = as_input(x);
  const at::Tensor y = f(input);
  TORCH_CHECK(y.numel() == 1, "f: expected a function with a single number as value, got shape ", y.sizes());
  const at::Tensor slope = gradient(y, input, at::ones_like(y), true);
  return finish(y, gradient(slope, input, v, create_graph), create_graph);
}

}  // namespace stillpoint
