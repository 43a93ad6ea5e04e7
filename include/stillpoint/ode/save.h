#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <variant>
#include <vector>

namespace stillpoint::ode {

/// Nothing beside the outputs.
struct SaveOutputs {};

/// The start, and where each n-th accepted step leads, as `solution.steps`.
struct SaveSteps {
  std::int64_t every = 1;  ///< ≥ 1
};

/// The start, where each step leads, and what lies between, as `solution.steps` and `solution.dense`.
struct SaveDense {};

/// What a solve returns beside its outputs. Memory: the saved states once more than the gradient rule has
/// them. They are differentiable, as the outputs are.
using Save = std::variant<SaveOutputs, SaveSteps, SaveDense>;

/// The start of a solve and the ends of steps.
template <class Value>
struct SavedSteps {
  /// `[B, 1 + S]`, in double, with its graph if times or events have one; NaN where a sample took fewer.
  at::Tensor time = {};
  /// `[B, 1 + S, …]`, NaN as above. Where a step ends at an event, the state after its `then`; at a jump, the
  /// state before it.
  Value y = {};
};

/// A solution at any time, empty unless it was asked for (`SaveDense`).
///
/// **Exactness.** What the outputs of the solve are: dense output of the method inside a step. Differentiable
/// to any order in y0, all times, whatever f captured, and in its argument.
///
/// **Cost.** One step of evaluations for each step that a time lies in, in the order in which they are given,
/// and again in the backward pass. It calls f, so what f captured must be as it was.
template <class Value>
class DenseSolution {
 public:
  DenseSolution() = default;
  explicit DenseSolution(std::function<Value(const at::Tensor& t)> evaluate)
      : evaluate_(std::move(evaluate)) {}

  explicit operator bool() const { return static_cast<bool>(evaluate_); }

  /// The solution at times `[K]`, or `[B, K]` for each sample its own, within those it was solved for; else a
  /// c10::Error. `[B, K, …]`; NaN where a sample did not come.
  Value operator()(const at::Tensor& t) const {
    TORCH_CHECK(evaluate_, "dense: expected a solve that saved it; give odeint .save = ode::SaveDense{}");
    return evaluate_(t);
  }

 private:
  std::function<Value(const at::Tensor& t)> evaluate_;
};

}  // namespace stillpoint::ode
