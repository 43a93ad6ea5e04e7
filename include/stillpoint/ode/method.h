#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <utility>

#include "stillpoint/core/erased.h"
#include "stillpoint/ode/tableau.h"

namespace stillpoint::ode {

/// A type that gives an explicit Runge–Kutta method as its tableau.
template <class M>
concept ExplicitRungeKutta = std::copyable<M> && requires(const M& method) {
  { method.tableau() } -> std::same_as<const Tableau&>;
};

/// Any method: `Tsit5{}`, `Dopri5{}`, …, or a type of your own.
class Method {
 public:
  template <class M>
  requires(!std::same_as<M, Method> && ExplicitRungeKutta<M>)
      Method(M method)  // NOLINT(google-explicit-constructor): options are written as the method's name
      : name_(stillpoint::detail::type_name(typeid(M))) {
    const auto held = std::make_shared<const M>(std::move(method));
    tableau_ = std::shared_ptr<const Tableau>(held, &held->tableau());
  }

  const std::string& name() const { return name_; }
  const Tableau& tableau() const { return *tableau_; }

 private:
  std::string name_;
  std::shared_ptr<const Tableau> tableau_;
};

}  // namespace stillpoint::ode
