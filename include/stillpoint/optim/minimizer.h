#pragma once

#include <concepts>
#include <utility>

#include "stillpoint/core/erased.h"

namespace stillpoint {
namespace detail {
class Descent;
}  // namespace detail

/// A type that leads a descent to its end: one of those in stillpoint/optim/minimizers. A solver of your own
/// goes through `optimum`.
template <class S>
concept MinimizerType = std::copyable<S> && requires(const S& solver, detail::Descent& descent) {
  solver.minimize(descent);
};

/// Any minimizer: `optim::Lbfgs{.memory = 20}`, `optim::Newton{}`, …
class Minimizer : public Erased<void(detail::Descent& descent)> {
 public:
  template <class S>
  requires(!std::same_as<S, Minimizer> && MinimizerType<S>)
      Minimizer(S solver)  // NOLINT(google-explicit-constructor): options are written as the solver's name
      : Erased(std::move(solver),
               [](const S& held, detail::Descent& descent) { return held.minimize(descent); }) {}

  void minimize(detail::Descent& descent) const { call(descent); }
};

}  // namespace stillpoint
