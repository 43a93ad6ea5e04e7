#include "optim/minimizers/objective.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
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

void check_values(const at::Tensor& value, const at::Tensor& x) {
  TORCH_CHECK(value.defined(), "f: expected one number for each sample, got an undefined tensor");
  const bool single = value.dim() == 0 && x.size(0) == 1;
  TORCH_CHECK(single || (value.dim() == 1 && value.size(0) == x.size(0)),
              "f: expected one number for each sample, shape [", x.size(0), "], got shape ", value.sizes());
  TORCH_CHECK(value.scalar_type() == x.scalar_type() && value.device() == x.device(), "f: expected ",
              x.scalar_type(), " on ", x.device(), " as x0, got ", value.scalar_type(), " on ",
              value.device());
}

Evaluated evaluate_with_gradient(const Function& f, const at::Tensor& x, bool create_graph) {
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

at::Tensor as_leaf(const at::Tensor& x) {
  if (x.is_inference()) return x.clone().requires_grad_();
  return x.requires_grad() ? x.view_as(x) : x.detach().requires_grad_();
}

at::Tensor hessian_of(const at::Tensor& gradient, const at::Tensor& x) {
  const std::int64_t width = row_width(x);
  std::vector<at::Tensor> rows;
  rows.reserve(width);
  for (std::int64_t i = 0; i < width; ++i) {
    at::Tensor row;
    if (gradient.requires_grad()) {
      const at::Tensor numbers = gradient.reshape({x.size(0), width}).select(1, i);
      row = torch::autograd::grad({numbers}, {x}, {at::ones_like(numbers)}, true, true, true)[0];
    }
    rows.push_back(row.defined() ? row.reshape({x.size(0), width})
                                 : at::zeros({x.size(0), width}, x.options()));
  }
  return at::stack(rows, 1);
}

at::Tensor largest_curvature(const Function& f, const at::Tensor& x) {
  constexpr int products = 30;
  constexpr double margin = 1.1;
  const at::AutoGradMode recording(true);
  const at::Tensor leaf = x.detach().clone().requires_grad_();
  const at::Tensor gradient = gradient_of(f, leaf);
  at::Tensor ones = as_column(at::ones({x.size(0)}, x.options()), x);
  if (!gradient.requires_grad()) return ones;
  // Some direction that no symmetry of f is likely to have.
  at::Tensor v = at::cos(at::arange(1, x.numel() + 1, x.options())).reshape(x.sizes());
  at::Tensor size = ones;
  for (int i = 0; i < products; ++i) {
    v = v / row_dot(v, v).sqrt();
    const at::Tensor next = torch::autograd::grad({gradient}, {leaf}, {v}, true, false, true)[0];
    if (!next.defined()) return ones;
    v = next.detach().contiguous();
    size = row_dot(v, v).sqrt();
    v = at::where(size > 0, v, ones.expand_as(v)).contiguous();
  }
  return at::where(size > 0, margin * size, ones).detach();
}

at::Tensor values_of(const Function& f, const at::Tensor& x) {
  const at::Tensor value = f(x);
  check_values(value, x);
  return value.detach().reshape({x.size(0)});
}

at::Tensor gradient_of(const Function& f, const at::Tensor& x) {
  return evaluate_with_gradient(f, x, at::GradMode::is_enabled()).gradient;
}

DescentPoint CheckedObjective::at(const at::Tensor& x) {
  ++evaluations_;
  const Evaluated there = evaluate_with_gradient(f_, x, /*create_graph=*/false);
  return {x, to_host(there.value.detach().reshape({x.size(0)})), there.gradient.contiguous()};
}

}  // namespace stillpoint::detail
