#include "optim/minimizers/objective.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

struct Evaluated {
  at::Tensor value;
  at::Tensor gradient;
};

// A leaf that gradients can be asked for, or an alias of x that keeps its place in a graph.
at::Tensor as_leaf(const at::Tensor& x) {
  if (x.is_inference()) return x.clone().requires_grad_();
  return x.requires_grad() ? x.view_as(x) : x.detach().requires_grad_();
}

void check_values(const at::Tensor& value, const at::Tensor& x) {
  TORCH_CHECK(value.defined(), "f: expected one number for each sample, got an undefined tensor");
  const bool single = value.dim() == 0 && x.size(0) == 1;
  TORCH_CHECK(single || (value.dim() == 1 && value.size(0) == x.size(0)),
              "f: expected one number for each sample, shape [", x.size(0), "], got shape ", value.sizes());
  TORCH_CHECK(value.scalar_type() == x.scalar_type() && value.device() == x.device(), "f: expected ",
              x.scalar_type(), " on ", x.device(), " as x0, got ", value.scalar_type(), " on ",
              value.device());
}

Evaluated evaluate_with_gradient(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x,
                                 bool create_graph) {
  const c10::InferenceMode no_inference(false);  // which would record nothing
  const at::AutoGradMode recording(true);
  const at::Tensor input = as_leaf(x);
  const at::Tensor value = f(input);
  check_values(value, x);
  at::Tensor gradient;
  if (value.requires_grad()) {
    gradient = torch::autograd::grad({value}, {input}, {at::ones_like(value)}, create_graph, create_graph,
                                     /*allow_unused=*/true)[0];
  }
  if (!gradient.defined()) gradient = at::zeros_like(x);
  return {value, create_graph ? gradient : gradient.detach()};
}

}  // namespace

at::Tensor gradient_of(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x) {
  return evaluate_with_gradient(f, x, at::GradMode::is_enabled()).gradient;
}

DescentPoint CheckedObjective::at(const at::Tensor& x) {
  ++evaluations_;
  const Evaluated there = evaluate_with_gradient(f_, x, /*create_graph=*/false);
  return {x, to_host(there.value.detach().reshape({x.size(0)})), there.gradient.contiguous()};
}

}  // namespace stillpoint::detail
