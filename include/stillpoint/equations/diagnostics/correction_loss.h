#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <functional>
#include <string>
#include <vector>

#include "stillpoint/equations/checked_map.h"

namespace stillpoint {

/// Fixed-point correction: a loss on states from the middle of a solve. It pulls the whole path to the
/// target, so that fewer iterations suffice. For states z₁ … zₙ, in the order of the solve, it is
///
///     Σₖ gammaⁿ⁻ᵏ loss(f(zₖ)),   a number with the gradient of one step from each zₖ.
///
/// That is the phantom gradient with one step there; no gradient flows through zₖ. Differentiable in what f
/// and loss captured. (Bai, Geng, Savani, Kolter 2022, Deep Equilibrium Optical Flow Estimation, section
/// 4.2.) Gather the states with an observer, and add the result to the loss at the solution:
///
///     std::vector<at::Tensor> states;
///     const auto keep = [&](const Iterate& at) { if (at.step % 4 == 2) states.push_back(at.z); };
///     const auto z = fixed_point(f, z0, {.observer = keep}).value;
///     const auto total = loss(z) + correction_loss(f, states, loss);
///
/// `states` are `[B, …]`, as f takes them. For a state of several tensors they are `[B, N]`, and f is
/// `Packing(z0).pack(f)`. `loss` maps such a state to a single number. `gamma` in (0, 1] gives early states
/// less weight.
///
/// Errors: a c10::Error naming the argument if f or loss is empty, states are none, gamma is out of range,
/// loss returns more than one number, or f changes shape, dtype or device. Cost: one recorded evaluation of f
/// and of loss per state, kept until the backward pass.
inline at::Tensor correction_loss(const Map& f, const std::vector<at::Tensor>& states,
                                  const std::function<at::Tensor(const at::Tensor&)>& loss,
                                  double gamma = 0.8) {
  TORCH_CHECK(f != nullptr, "f: expected a map, got an empty function");
  TORCH_CHECK(loss != nullptr, "loss: expected a function, got an empty one");
  TORCH_CHECK(!states.empty(), "states: expected at least one tensor [B, …], got an empty list");
  TORCH_CHECK(gamma > 0.0 && gamma <= 1.0, "gamma: expected a number in (0, 1], got ", gamma);
  const CheckedMap map(f);
  at::Tensor sum;
  for (const at::Tensor& state : states) {
    TORCH_CHECK(state.defined(), "states: expected tensors [B, …], got an undefined one");
    at::Tensor term = loss(map(state.detach()));
    TORCH_CHECK(term.defined() && term.numel() == 1, "loss: expected it to return a single number, got ",
                term.defined() ? c10::str("shape ", term.sizes()) : std::string("an undefined tensor"));
    sum = sum.defined() ? gamma * sum + term : term;
  }
  return sum;
}

}  // namespace stillpoint
