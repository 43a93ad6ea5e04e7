#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <functional>
#include <utility>

#include "stillpoint/autograd/unroll.h"
#include "stillpoint/core/erased.h"
#include "stillpoint/core/monitor.h"
#include "stillpoint/equations/checked_map.h"

namespace stillpoint {

/// A solver that may end with an approximation H of the inverse of A = −∂r/∂z, with r the residual. Its
/// `solve` takes a pointer beside, which is null if nobody has use for H. Else it leaves there, for the
/// backward pass, u ↦ Hᵀu for tensors shaped like z, each sample with its own H, near where that sample
/// ended.
template <class S>
concept LeavesInverse = requires(const S& solver, const CheckedMap& f, const at::Tensor& z0, Monitor& monitor,
                                 Map* inverse) {
  solver.solve(f, z0, monitor, inverse);
};

/// A type that finds `z = f(z)`. It proposes iterates, starting with `z0`, and shows each one with its
/// residual to the monitor, until that says that no sample needs another step. Gradients are off when it is
/// called, and `z0` is contiguous, `[B, …]`. See docs/extending.md.
template <class S>
concept FixedPointSolverType = std::copyable<S> &&
    (LeavesInverse<S> || requires(const S& solver, const CheckedMap& f, const at::Tensor& z0,
                                  Monitor& monitor) { solver.solve(f, z0, monitor); });

/// A fixed-point solver that looks at `f.residual` and its Jacobian alone, so it finds `f(z) = 0` as well. It
/// says so by `static constexpr bool solves_roots = true`, and `f.form()` tells which of both is asked.
template <class S>
concept RootSolverType = FixedPointSolverType<S> && S::solves_roots;

/// A solver that offers its step as a function, so that it can be recorded: `init(z0)` is the state that it
/// begins with, whose first tensor is the iterate; `step(f, state, fz)` the state after that, where fz is f
/// of the iterate. The states may have another dtype than z0, to which the iterate is then rounded.
template <class S>
concept OffersStep = FixedPointSolverType<S> &&
    requires(const S& solver, const Map& f, const at::Tensor& z, const State& state) {
  { solver.init(z) } -> std::same_as<State>;
  { solver.step(f, state, z) } -> std::same_as<State>;
};

/// That step of any solver; empty functions if it offers none.
struct StepFunctions {
  std::function<State(const at::Tensor& z0)> init = {};
  std::function<State(const Map& f, const State& state, const at::Tensor& fz)> step = {};
};

/// Any fixed-point solver: `Anderson{.memory = 6}`, …, or a type of your own.
class FixedPointSolver
    : public Erased<void(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* inverse)> {
 public:
  template <class S>
  requires(!std::derived_from<S, FixedPointSolver> && FixedPointSolverType<S>) FixedPointSolver(
      S solver)  // NOLINT(google-explicit-constructor): options are written as the solver's name
      : Erased(std::move(solver),
               [](const S& held, const CheckedMap& f, const at::Tensor& z0, Monitor& monitor,
                  [[maybe_unused]] Map* inverse) {
                 if constexpr (LeavesInverse<S>) {
                   held.solve(f, z0, monitor, inverse);
                 } else {
                   held.solve(f, z0, monitor);
                 }
               }),
        step_functions_(&step_functions_of<S>) {}

  /// `inverse`: see `LeavesInverse`; it stays as it is if the solver has none.
  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* inverse = nullptr) const {
    call(f, z0, monitor, inverse);
  }
  StepFunctions step_functions() const { return step_functions_(*this); }

 private:
  template <class S>
  static StepFunctions step_functions_of(const FixedPointSolver& any) {
    if constexpr (OffersStep<S>) {
      const S& solver = *any.target<S>();
      return {.init = [solver](const at::Tensor& z0) { return solver.init(z0); },
              .step = [solver](const Map& f, const State& state,
                               const at::Tensor& fz) { return solver.step(f, state, fz); }};
    } else {
      return {};
    }
  }

  StepFunctions (*step_functions_)(const FixedPointSolver&);
};

/// Any root solver: `Newton{}`, `Broyden{.memory = 20}`, …, or a type of your own.
class RootSolver : public FixedPointSolver {
 public:
  template <class S>
  requires(!std::same_as<S, RootSolver> && RootSolverType<S>)
      RootSolver(S solver)  // NOLINT(google-explicit-constructor): options are written as the solver's name
      : FixedPointSolver(std::move(solver)) {}
};

}  // namespace stillpoint
