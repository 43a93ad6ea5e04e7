#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <functional>
#include <vector>

namespace stillpoint::ode {

/// The right-hand side as a method sees it.
using SlopeFunction = std::function<at::Tensor(const at::Tensor& t, const at::Tensor& y)>;

/// A step to be taken, for all samples.
struct Interval {
  at::Tensor length;  ///< end − start, with the graph of the times; it broadcasts against y
  /// The time at this fraction of the step, for f. 0 and 1 are its ends.
  std::function<at::Tensor(double fraction)> time;
};

/// Where a step leads.
struct Stepped {
  at::Tensor y;
  std::vector<at::Tensor> memory = {};  ///< for the next step
  at::Tensor error = {};                ///< of y, estimated; undefined: there is no estimate
};

/// A type that is a method but no tableau: a step as tensor operations, differentiable as they are. It may
/// remember tensors `[B, …]` of y's dtype from step to step. Samples must not depend on each other.
///
/// - `order` is that of y. Give `embedded_order` too if steps estimate their error.
/// - `begin` makes the memory where a solve starts, and for samples whose state a jump or an event changed.
/// - `step` takes y and the memory to the end of the interval.
/// - It may have `Stepped back(f, interval, y, memory) const`, the inverse of `step`, for the gradient rule
///   `Reversible`.
template <class M>
concept SteppingMethod = std::copyable<M> &&
    requires(const M& method, const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
             const std::vector<at::Tensor>& memory) {
  { M::order } -> std::convertible_to<int>;
  { method.begin(f, y, y) } -> std::same_as<std::vector<at::Tensor>>;
  { method.step(f, interval, y, memory) } -> std::same_as<Stepped>;
};

/// Any such method.
struct Stepping {
  using Step = std::function<Stepped(const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
                                     const std::vector<at::Tensor>& memory)>;

  int order = 0;
  int embedded_order = 0;  ///< 0: no estimate of the error
  std::function<std::vector<at::Tensor>(const SlopeFunction& f, const at::Tensor& t, const at::Tensor& y)>
      begin;
  Step step;
  Step back = {};  ///< empty: it cannot go back
};

}  // namespace stillpoint::ode
