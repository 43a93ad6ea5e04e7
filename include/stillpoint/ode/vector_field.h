#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

namespace stillpoint::ode {

/// The right-hand side of dy/dt = f(t, y), made implicitly from a function `f(t, y)` or `f(y)`, or from
/// `{f, inputs}` for one that takes what belongs to each sample, tensors `[B, …]`, as `f(t, y, inputs)`. With
/// steps per sample it is then evaluated for the unfinished samples only.
///
/// The slope has the shape, dtype and device of y, `[B, …]`. `t` has y's dtype (its real one if y is complex)
/// and broadcasts against y: it has no dimensions when all samples step together, and `[B, 1, …]` when each
/// has its own step, so that one f serves both. f must be deterministic, must not edit its arguments, and
/// samples must not depend on each other. A backward pass calls it again, so what it captures must live that
/// long; capturing by value ensures that.
struct VectorField {
  template <class F>
  requires(std::is_invocable_r_v<at::Tensor, F&, const at::Tensor&, const at::Tensor&>)
      VectorField(F f)  // NOLINT(google-explicit-constructor): written as the function
      : slope(std::move(f)) {}
  template <class F>
  requires(std::is_invocable_r_v<at::Tensor, F&, const at::Tensor&> &&
           !std::is_invocable_r_v<at::Tensor, F&, const at::Tensor&, const at::Tensor&>)
      VectorField(F f)  // NOLINT(google-explicit-constructor): written as the function
      : slope([f = std::move(f)](const at::Tensor& /*t*/, const at::Tensor& y) mutable { return f(y); }),
        takes_time(false) {}
  VectorField(std::function<at::Tensor(const at::Tensor& t, const at::Tensor& y,
                                       const std::vector<at::Tensor>& inputs)>
                  f,
              std::vector<at::Tensor> f_inputs)
      : divisible(std::move(f)), inputs(std::move(f_inputs)) {}

  std::function<at::Tensor(const at::Tensor& t, const at::Tensor& y)> slope = {};
  /// In its place where there are inputs.
  std::function<at::Tensor(const at::Tensor& t, const at::Tensor& y, const std::vector<at::Tensor>& inputs)>
      divisible = {};
  std::vector<at::Tensor> inputs = {};
  bool takes_time = true;  ///< if not, the time it is called with is undefined
};

/// The same for a state of several tensors `[B, …]` with one B, dtype and device.
struct TupleVectorField {
  using State = std::vector<at::Tensor>;

  template <class F>
  requires(std::is_invocable_r_v<State, F&, const at::Tensor&, const State&>)
      TupleVectorField(F f)  // NOLINT(google-explicit-constructor): written as the function
      : slope(std::move(f)) {}
  template <class F>
  requires(std::is_invocable_r_v<State, F&, const State&> &&
           !std::is_invocable_r_v<State, F&, const at::Tensor&, const State&>)
      TupleVectorField(F f)  // NOLINT(google-explicit-constructor): written as the function
      : slope([f = std::move(f)](const at::Tensor& /*t*/, const State& y) mutable { return f(y); }),
        takes_time(false) {}
  TupleVectorField(std::function<State(const at::Tensor& t, const State& y, const State& inputs)> f,
                   State f_inputs)
      : divisible(std::move(f)), inputs(std::move(f_inputs)) {}

  std::function<State(const at::Tensor& t, const State& y)> slope = {};
  std::function<State(const at::Tensor& t, const State& y, const State& inputs)> divisible = {};
  State inputs = {};
  bool takes_time = true;
};

}  // namespace stillpoint::ode
