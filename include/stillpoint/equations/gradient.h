#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <functional>
#include <utility>

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// A problem, fixed point or root, on its way through a gradient rule.
struct FixedPointProblem {
  const CheckedMap& f;
  const at::Tensor z0;
  const FixedPointSolver& solver;
  Monitor& monitor;
  OnFailure on_failure;
  Stats& stats;  ///< of the solve; a rule that solves systems in the backward pass sets `backward`
  const CheckedMap& solver_map;  ///< what the solver sees: f, or f without the samples that have finished

  /// Runs the solver with gradients off. Returns the best iterate of each sample.
  at::Tensor solve() const;
  /// Evaluates the result of the solve as a whole, if no evaluation has done so yet. The monitor then reopens
  /// the samples that are disturbed by what has become of the others. Returns how many of them can go on.
  std::int64_t reopen(const at::Tensor& z) const;
};

/// A type that turns a problem into a solution with derivatives attached. Gradients are on when it is called.
template <class G>
concept GradientRuleType = std::copyable<G> && requires(const G& rule, FixedPointProblem& problem) {
  { rule.differentiate(problem) } -> std::same_as<at::Tensor>;
};

/// Any gradient rule: `ImplicitGradient{}`, `PhantomGradient{.steps = 3}`, …, or a type of your own.
class GradientRule {
 public:
  template <class G>
  requires(!std::same_as<G, GradientRule> && GradientRuleType<G>)
      GradientRule(G rule)  // NOLINT(google-explicit-constructor): options are written as the rule's name
      : differentiate_([rule = std::move(rule)](FixedPointProblem& p) { return rule.differentiate(p); }) {}

  at::Tensor differentiate(FixedPointProblem& problem) const { return differentiate_(problem); }

 private:
  std::function<at::Tensor(FixedPointProblem&)> differentiate_;
};

}  // namespace stillpoint
