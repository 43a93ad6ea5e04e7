#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include <functional>
#include <vector>

// What products with first and second derivatives are made of: reverse mode, once or twice.
namespace stillpoint::detail::reverse_mode {

using List = std::vector<at::Tensor>;
using OfTensor = std::function<at::Tensor(const at::Tensor&)>;
using OfList = std::function<at::Tensor(const List&)>;
using OfNothing = std::function<at::Tensor()>;

/// Records whatever happens while it lives, in inference mode, too, which would record nothing.
struct Recording {
  c10::InferenceMode no_inference{false};
  at::AutoGradMode on{true};
};

/// A function where it was evaluated, and the inputs that gradients can be asked for.
struct Evaluated {
  List inputs;
  at::Tensor value;
};

/// What f returned; throws if that is undefined.
at::Tensor checked(at::Tensor value);

Evaluated evaluate_at(const OfTensor& f, const at::Tensor& x);
Evaluated evaluate_at(const OfList& f, const List& x);
Evaluated evaluate_at(const OfNothing& f, const List& parameters);

/// Throws unless v has a tensor like each of x.
void check_vectors(const List& v, const List& x);

/// Σ vᵀ ∂y/∂x for each x as a function that can be differentiated again; zeros where no y depends on it.
List pull_back(const List& y, const List& x, const List& v, bool create_graph);

/// The gradient of a single number, differentiable.
List slope(const Evaluated& here);

}  // namespace stillpoint::detail::reverse_mode
