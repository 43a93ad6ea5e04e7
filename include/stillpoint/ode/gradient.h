#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "stillpoint/autograd/unroll.h"
#include "stillpoint/core/erased.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/ode/vector_field.h"

namespace stillpoint {

struct OdeintOptions;

namespace ode {

struct Stats;

/// A solve with its accepted steps frozen, on its way through a gradient rule. Each step is a map of the
/// state alone: its ends are fixed fractions of the time from the first to the last output (or between
/// outputs, if steps end there), so that derivatives in those times come with it. Where there are events, or
/// the method remembers something, what is called a state here has numbers more, `[B, N + M]`.
struct Frozen {
  at::Tensor y0;      ///< `[B, …]`, with its graph
  at::Tensor values;  ///< `[B, T, …]` as solved, a constant
  std::size_t steps = 0;
  /// Constants: where the steps start whose number is a multiple of `every`. See `GradientRule::states`.
  std::vector<at::Tensor> states;
  std::size_t every = 1;
  at::Tensor end;  ///< where the last step leads, a constant
  /// Records f once where the solve starts: what its graph leads to is what f captured.
  std::function<at::Tensor(const at::Tensor& y)> probe;
  at::Tensor times;  ///< of the outputs, with their graph
  /// Takes the step of this number from y: the next state, then one state for each output inside the step.
  std::function<State(std::size_t step, const at::Tensor& y)> step;
  /// Takes the step of this number back: from where it leads to where it starts. Empty if it cannot be.
  std::function<at::Tensor(std::size_t step, const at::Tensor& y)> back;
  /// The state `[B, …]` of the caller in what is called a state here.
  std::function<at::Tensor(const at::Tensor& y)> state;
  /// Of the gradient of the values, what belongs to each output inside a step.
  std::function<State(std::size_t step, const at::Tensor& gradient)> gradients;
  /// The values from all outputs, in the order of the steps, with y0 before them.
  std::function<at::Tensor(const State& outputs)> collect;

  // For rules that solve an equation of their own in the backward pass:

  std::optional<VectorField> field;        ///< f, of a state of one tensor
  const OdeintOptions* options = nullptr;  ///< of the solve, during the call
  Stats* stats = nullptr;                  ///< of the solve, during the call: a rule sets `backward`
  bool joint = true;                       ///< steps are those of the batch
  Mask finished;                           ///< the samples that came to their last time
  /// Of all columns of the values, in double, with their graph: `[T + S]`, or `[B, T + S]`. Without events.
  at::Tensor column_times;
  /// The solution between these states, `[B, 1 + S, …]`, where each step starts and the last one ends: a
  /// function of the time of f, which lies in the range of the solve but for rounding.
  std::function<std::function<at::Tensor(const at::Tensor& t)>(const at::Tensor& states)> between;
  // Of a solve that comes in segments:
  std::size_t segment = 0;                     ///< its number
  std::shared_ptr<std::size_t> reported = {};  ///< which of them reported last on a backward pass
};

/// A type that gives a solution its derivatives: returns `frozen.values` with a graph. Gradients are on when
/// it is called. It may have a function `std::int64_t states() const`, the number of states that the solve is
/// to remember for it; without one, it remembers where each step starts. With a constant `saves_steps =
/// true`, the ends of all steps are columns of the values. With a constant `by_segments = true`, a solve with
/// events or jumps comes to it as segments between them, one after another, each without any.
template <class G>
concept GradientRuleType = std::copyable<G> && requires(const G& rule, const Frozen& frozen) {
  { rule.differentiate(frozen) } -> std::same_as<at::Tensor>;
};

/// Any gradient rule: `Discrete{}`, `Unrolled{}`, or a type of your own.
class GradientRule : public Erased<at::Tensor(const Frozen& frozen)> {
 public:
  template <class G>
  requires(!std::same_as<G, GradientRule> && GradientRuleType<G>)
      GradientRule(G rule)  // NOLINT(google-explicit-constructor): options are written as the rule's name
      : Erased(std::move(rule),
               [](const G& held, const Frozen& frozen) { return held.differentiate(frozen); }) {
    if constexpr (requires { rule.states(); }) states_ = target<G>()->states();
    if constexpr (requires { G::saves_steps; }) saves_steps_ = G::saves_steps;
    if constexpr (requires { G::by_segments; }) by_segments_ = G::by_segments;
  }

  at::Tensor differentiate(const Frozen& frozen) const { return call(frozen); }
  /// How many states a solve remembers for this rule. If there are more steps, it remembers every second one,
  /// every fourth, and so on.
  std::int64_t states() const { return states_; }
  bool saves_steps() const { return saves_steps_; }
  bool by_segments() const { return by_segments_; }

 private:
  std::int64_t states_ = std::numeric_limits<std::int64_t>::max();
  bool saves_steps_ = false;
  bool by_segments_ = false;
};

}  // namespace ode
}  // namespace stillpoint
