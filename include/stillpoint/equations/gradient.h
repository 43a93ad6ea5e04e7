#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <functional>
#include <string>
#include <utility>

#include "stillpoint/autograd/unroll.h"
#include "stillpoint/core/erased.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/equations/checked_map.h"
#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// A problem on its way through a gradient rule: it states a condition, and it can be solved.
struct Problem {
  const CheckedMap& f;  ///< the condition
  const at::Tensor z0;
  const FixedPointSolver& solver;
  OnFailure on_failure;
  Stats& stats;  ///< of the solve; a rule that solves systems in the backward pass sets `backward`
  std::function<at::Tensor(Map* inverse)> find = {};  ///< see `solve`
  /// The iteration of a solver that offers its step as a function, for rules that record it; see `unroll`.
  /// The first tensor of a state is the iterate.
  std::function<State()> start = {};
  NextStep next = {};
  /// To be called with the latest iterate where that is returned, not the best: has it judged and reported.
  std::function<void(const at::Tensor& z)> settle = {};

  /// Of a root that has one: a map with the solution `z` as its fixed point, which contracts near it, for
  /// rules that take a few steps from there.
  std::function<Map(const at::Tensor& z)> contraction = {};

  /// Runs the solver with gradients off: the best iterate of each sample. A solver that has an approximation
  /// of the inverse of its Jacobian leaves it in `inverse`, if that is not null.
  at::Tensor solve(Map* inverse = nullptr) const { return find(inverse); }
};

/// A type that turns a problem into a solution with derivatives attached. Gradients are on when it is called.
template <class G>
concept GradientRuleType = std::copyable<G> && requires(const G& rule, Problem& problem) {
  { rule.differentiate(problem) } -> std::same_as<at::Tensor>;
};

/// Any gradient rule: `ImplicitGradient{}`, `PhantomGradient{.steps = 3}`, …, or a type of your own.
class GradientRule : public Erased<at::Tensor(Problem& problem)> {
 public:
  template <class G>
  requires(!std::same_as<G, GradientRule> && GradientRuleType<G>)
      GradientRule(G rule)  // NOLINT(google-explicit-constructor): options are written as the rule's name
      : Erased(std::move(rule), [](const G& held, Problem& problem) { return held.differentiate(problem); }) {
  }

  at::Tensor differentiate(Problem& problem) const { return call(problem); }
};

}  // namespace stillpoint
