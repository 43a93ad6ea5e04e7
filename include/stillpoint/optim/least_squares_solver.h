#pragma once

#include <concepts>
#include <utility>

#include "stillpoint/core/erased.h"

namespace stillpoint {
namespace detail {
class Fit;
}  // namespace detail

/// A type that leads a least-squares fit to its end: one of those in stillpoint/optim/least_squares_solvers.
/// A solver of your own goes through `optimum`.
template <class S>
concept LeastSquaresSolverType = std::copyable<S> && requires(const S& solver, detail::Fit& fit) {
  solver.solve(fit);
};

/// Any solver of least squares: `optim::LevenbergMarquardt{}`, `optim::Dogleg{.first_radius = 1}`, …
class LeastSquaresSolver : public Erased<void(detail::Fit& fit)> {
 public:
  template <class S>
  requires(!std::same_as<S, LeastSquaresSolver> && LeastSquaresSolverType<S>)
      LeastSquaresSolver(S solver)  // NOLINT(google-explicit-constructor): options are written as its name
      : Erased(std::move(solver), [](const S& held, detail::Fit& fit) { return held.solve(fit); }) {}

  void solve(detail::Fit& fit) const { call(fit); }
};

}  // namespace stillpoint
