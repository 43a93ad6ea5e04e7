#pragma once

#include <concepts>
#include <utility>

#include "stillpoint/core/erased.h"

namespace stillpoint {
namespace detail {
class Descent;
class DirectSearch;
}  // namespace detail

/// A type that leads a descent to its end, by gradients, or a search by values alone: one of those in
/// stillpoint/optim/minimizers. A solver of your own goes through `optimum`.
template <class S>
concept DescendingMinimizer = std::copyable<S> && requires(const S& solver, detail::Descent& descent) {
  solver.minimize(descent);
};
template <class S>
concept DirectMinimizer = std::copyable<S> && requires(const S& solver, detail::DirectSearch& search) {
  solver.minimize(search);
};

/// Any minimizer: `optim::Lbfgs{.memory = 20}`, `optim::Newton{}`, …
class Minimizer : public Erased<void(detail::Descent* descent, detail::DirectSearch* search)> {
 public:
  template <class S>
  requires(!std::same_as<S, Minimizer> && (DescendingMinimizer<S> || DirectMinimizer<S>))
      Minimizer(S solver)  // NOLINT(google-explicit-constructor): options are written as the solver's name
      : Erased(std::move(solver),
               [](const S& held, [[maybe_unused]] detail::Descent* descent,
                  [[maybe_unused]] detail::DirectSearch* search) {
                 if constexpr (DescendingMinimizer<S>) {
                   held.minimize(*descent);
                 } else {
                   held.minimize(*search);
                 }
               }),
        descends_(DescendingMinimizer<S>),
        offers_steps_(requires { S::offers_steps; }) {}

  /// Whether it goes by gradients, or else by values alone.
  bool descends() const { return descends_; }
  /// Whether its steps can be recorded; see `UnrolledGradient`.
  bool offers_steps() const { return offers_steps_; }
  void minimize(detail::Descent& descent) const { call(&descent, nullptr); }
  void minimize(detail::DirectSearch& search) const { call(nullptr, &search); }

 private:
  bool descends_;
  bool offers_steps_;
};

}  // namespace stillpoint
