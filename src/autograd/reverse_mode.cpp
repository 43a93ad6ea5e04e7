#include "autograd/reverse_mode.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>

#include "core/check.h"

namespace stillpoint::detail::reverse_mode {
namespace {

// An alias of x that gradients can be asked for; it keeps its place in the graph of x, if that has one.
at::Tensor as_input(const at::Tensor& x) {
  if (x.is_inference()) return x.clone().requires_grad_();
  return x.requires_grad() ? x.view_as(x) : x.detach().requires_grad_();
}

}  // namespace

at::Tensor checked(at::Tensor value) {
  TORCH_CHECK(value.defined(), "f: expected a tensor as value, got an undefined one");
  return value;
}

Evaluated evaluate_at(const OfTensor& f, const at::Tensor& x) {
  const at::Tensor input = as_input(x);
  return {{input}, checked(f(input))};
}

Evaluated evaluate_at(const OfList& f, const List& x) {
  List inputs;
  inputs.reserve(x.size());
  for (const at::Tensor& one : x) inputs.push_back(as_input(one));
  at::Tensor value = checked(f(inputs));
  return {std::move(inputs), std::move(value)};
}

Evaluated evaluate_at(const OfNothing& f, const List& parameters) {
  for (const at::Tensor& one : parameters) {
    TORCH_CHECK(one.defined() && one.requires_grad(), "parameters: expected tensors that require a gradient");
  }
  return {parameters, checked(f())};
}

void check_vectors(const List& v, const List& x) {
  TORCH_CHECK(v.size() == x.size(), "v: expected ", x.size(), " tensors, got ", v.size());
  for (std::size_t i = 0; i < x.size(); ++i) check_like("v", v[i], x[i]);
}

List pull_back(const List& y, const List& x, const List& v, bool create_graph) {
  List outputs;
  List weights;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!y[i].requires_grad()) continue;
    outputs.push_back(y[i]);
    weights.push_back(v[i]);
  }
  List result(x.size());
  if (!outputs.empty()) {
    result = torch::autograd::grad(outputs, x, weights, /*retain_graph=*/true, create_graph,
                                   /*allow_unused=*/true);
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!result[i].defined()) result[i] = at::zeros_like(x[i]);
  }
  return result;
}

List slope(const Evaluated& here) {
  TORCH_CHECK(here.value.numel() == 1, "f: expected a function with a single number as value, got shape ",
              here.value.sizes());
  return pull_back({here.value}, here.inputs, {at::ones_like(here.value)}, true);
}

}  // namespace stillpoint::detail::reverse_mode
