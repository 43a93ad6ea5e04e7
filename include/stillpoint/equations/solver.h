#pragma once

#include <ATen/core/Tensor.h>

#include <any>
#include <concepts>
#include <string>
#include <utility>

#include "stillpoint/core/monitor.h"
#include "stillpoint/equations/checked_map.h"

namespace stillpoint {

/// A type that finds `z = f(z)`. It proposes iterates, starting with `z0`, and shows each one with its
/// residual to the monitor, until that says that no sample needs another step. Gradients are off when it is
/// called, and `z0` is contiguous, `[B, …]`. See docs/extending.md.
template <class S>
concept FixedPointSolverType = std::copyable<S> &&
    requires(const S& solver, const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) {
  solver.solve(f, z0, monitor);
};

/// Any fixed-point solver: `Anderson{.memory = 6}`, …, or a type of your own.
class FixedPointSolver {
 public:
  template <class S>
  requires(!std::derived_from<S, FixedPointSolver> && FixedPointSolverType<S>) FixedPointSolver(
      S solver)  // NOLINT(google-explicit-constructor): options are written as the solver's name
      : held_(std::move(solver)), name_(name_of<S>()), solve_(&call<S>) {}

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
    solve_(held_, f, z0, monitor);
  }
  const std::string& name() const { return name_; }
  /// The solver if it is an S, else null.
  template <class S>
  const S* target() const {
    return std::any_cast<S>(&held_);
  }

 private:
  template <class S>
  static void call(const std::any& held, const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) {
    std::any_cast<const S&>(held).solve(f, z0, monitor);
  }
  template <class S>
  static std::string name_of() {
    if constexpr (requires { std::string(S::name); }) {
      return S::name;
    } else {
      return "user's solver";
    }
  }

  std::any held_;
  std::string name_;
  void (*solve_)(const std::any&, const CheckedMap&, const at::Tensor&, Monitor&);
};

/// A fixed-point solver that uses only `f.residual` and its Jacobian, so it finds `f(z) = 0` as well. It
/// declares `static constexpr bool solves_roots = true`. `f.equation()` tells which of the two is being
/// solved.
template <class S>
concept RootSolverType = FixedPointSolverType<S> && S::solves_roots;

/// Any root solver: `Newton{}`, `Broyden{.memory = 20}`, …, or a type of your own.
class RootSolver : public FixedPointSolver {
 public:
  template <class S>
  requires(!std::same_as<S, RootSolver> && RootSolverType<S>)
      RootSolver(S solver)  // NOLINT(google-explicit-constructor): options are written as the solver's name
      : FixedPointSolver(std::move(solver)) {}
};

}  // namespace stillpoint
