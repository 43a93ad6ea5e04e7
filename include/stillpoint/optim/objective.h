#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "stillpoint/core/map.h"

namespace stillpoint {

/// What is minimized: from a batch of samples `[B, …]` to one number for each, `[B]`. A batch of one may
/// return a single number. As for a `Map`, it is deterministic, samples do not depend on each other, and a
/// backward pass may call it again. It is made implicitly from what a caller writes: a function of x, or
/// `{f, inputs}` for an `f(x, inputs)` that takes what belongs to each sample, `[B, …]` each, beside it.
struct Objective {
  Objective() = default;
  template <class F>
  requires(std::is_invocable_r_v<at::Tensor, F&, const at::Tensor&>)
      Objective(F f)  // NOLINT(google-explicit-constructor): objectives are written as their function
      : function(std::move(f)) {}
  Objective(MapWithInputs f, std::vector<at::Tensor> f_inputs);

  std::function<at::Tensor(const at::Tensor& x)> function = {};
  MapWithInputs divisible = {};  ///< the function that takes inputs; empty if there are none
  std::vector<at::Tensor> inputs = {};
};

/// The same of several tensors `[B, …]` with one B.
struct TupleObjective {
  template <class F>
  requires(std::is_invocable_r_v<at::Tensor, F&, const std::vector<at::Tensor>&>)
      TupleObjective(F f)  // NOLINT(google-explicit-constructor): objectives are written as their function
      : function(std::move(f)) {}
  TupleObjective(
      std::function<at::Tensor(const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& inputs)> f,
      std::vector<at::Tensor> f_inputs)
      : divisible(std::move(f)), inputs(std::move(f_inputs)) {}

  std::function<at::Tensor(const std::vector<at::Tensor>& x)> function = {};
  std::function<at::Tensor(const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& inputs)>
      divisible = {};  ///< in its place where there are inputs
  std::vector<at::Tensor> inputs = {};
};

}  // namespace stillpoint
