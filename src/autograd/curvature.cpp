#include "stillpoint/autograd/curvature.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>

#include "autograd/reverse_mode.h"

namespace stillpoint {
namespace {

namespace reverse_mode = detail::reverse_mode;
using reverse_mode::Evaluated;

reverse_mode::List without_graph(const reverse_mode::List& list) {
  reverse_mode::List result;
  result.reserve(list.size());
  for (const at::Tensor& one : list) result.push_back(one.detach());
  return result;
}

template <class F, class X>
Curvature hessian_recorded(const F& f, const X& x) {
  const reverse_mode::Recording recording;
  const Evaluated here = reverse_mode::evaluate_at(f, x);
  const reverse_mode::List gradient = reverse_mode::slope(here);
  return {here.value.detach(), without_graph(gradient),
          [gradient, inputs = here.inputs](const reverse_mode::List& v) {
            return reverse_mode::pull_back(gradient, inputs, v, /*create_graph=*/false);
          }};
}

// Jᵀ B J, with B given by its products. `weights` is what the rows of J are weighed by in the gradient. The
// gradient is linear in it, so its derivative in the direction v is J v, wherever it is taken.
Curvature sandwich(const Evaluated& here, const at::Tensor& value, const at::Tensor& weights,
                   std::function<at::Tensor(const at::Tensor&)> between) {
  const at::Tensor u = weights.detach().requires_grad_();
  const reverse_mode::List gradient =
      reverse_mode::pull_back({here.value}, here.inputs, {u}, /*create_graph=*/true);
  return {value.detach(), without_graph(gradient),
          [here, u, gradient, between = std::move(between)](const reverse_mode::List& v) {
            const at::Tensor along = reverse_mode::pull_back(gradient, {u}, v, /*create_graph=*/false)[0];
            return reverse_mode::pull_back({here.value}, here.inputs, {between(along)},
                                           /*create_graph=*/false);
          }};
}

template <class F, class X>
Curvature gauss_newton_recorded(const F& f, const reverse_mode::OfTensor& loss, const X& x) {
  const reverse_mode::Recording recording;
  const Evaluated here = reverse_mode::evaluate_at(f, x);
  // The loss on its own, so that its derivatives end at the output of f.
  const Evaluated outer = reverse_mode::evaluate_at(loss, here.value.detach());
  if (outer.value.requires_grad()) {
    for (const at::Tensor& one :
         torch::autograd::grad({outer.value}, here.inputs, {at::ones_like(outer.value)},
                               /*retain_graph=*/true, /*create_graph=*/false,
                               /*allow_unused=*/true)) {
      TORCH_CHECK(!one.defined(),
                  "loss: expected a function of the outputs alone, but it reads x or the parameters, too");
    }
  }
  const reverse_mode::List bent = reverse_mode::slope(outer);
  return sandwich(here, outer.value, bent[0], [bent, inputs = outer.inputs](const at::Tensor& along) {
    return reverse_mode::pull_back(bent, inputs, {along}, /*create_graph=*/false)[0];
  });
}

template <class F, class X>
Curvature fisher_recorded(const F& f, const X& x) {
  const reverse_mode::Recording recording;
  const Evaluated here = reverse_mode::evaluate_at(f, x);
  return sandwich(here, here.value, at::ones_like(here.value), [](const at::Tensor& along) { return along; });
}

}  // namespace

Curvature::Curvature(at::Tensor value, std::vector<at::Tensor> gradient, Products products)
    : value_(std::move(value)), gradient_(std::move(gradient)), products_(std::move(products)) {
  TORCH_CHECK(products_ != nullptr, "products: expected a function, got an empty one");
}

std::vector<at::Tensor> Curvature::operator()(const std::vector<at::Tensor>& v) const {
  reverse_mode::check_vectors(v, gradient_);
  const c10::InferenceMode no_inference(false);
  return products_(v);
}

at::Tensor Curvature::operator()(const at::Tensor& v) const { return (*this)(std::vector<at::Tensor>{v})[0]; }

Curvature hessian_at(const reverse_mode::OfTensor& f, const at::Tensor& x) { return hessian_recorded(f, x); }
Curvature hessian_at(const reverse_mode::OfList& f, const std::vector<at::Tensor>& x) {
  return hessian_recorded(f, x);
}
Curvature hessian_at(const reverse_mode::OfNothing& f, const std::vector<at::Tensor>& parameters) {
  return hessian_recorded(f, parameters);
}

Curvature gauss_newton_at(const reverse_mode::OfTensor& f, const reverse_mode::OfTensor& loss,
                          const at::Tensor& x) {
  return gauss_newton_recorded(f, loss, x);
}
Curvature gauss_newton_at(const reverse_mode::OfList& f, const reverse_mode::OfTensor& loss,
                          const std::vector<at::Tensor>& x) {
  return gauss_newton_recorded(f, loss, x);
}
Curvature gauss_newton_at(const reverse_mode::OfNothing& f, const reverse_mode::OfTensor& loss,
                          const std::vector<at::Tensor>& parameters) {
  return gauss_newton_recorded(f, loss, parameters);
}

Curvature fisher_at(const reverse_mode::OfTensor& f, const at::Tensor& x) { return fisher_recorded(f, x); }
Curvature fisher_at(const reverse_mode::OfList& f, const std::vector<at::Tensor>& x) {
  return fisher_recorded(f, x);
}
Curvature fisher_at(const reverse_mode::OfNothing& f, const std::vector<at::Tensor>& parameters) {
  return fisher_recorded(f, parameters);
}

}  // namespace stillpoint
