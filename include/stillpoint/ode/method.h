#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <utility>

#include "stillpoint/core/erased.h"
#include "stillpoint/ode/newton.h"
#include "stillpoint/ode/stepping.h"
#include "stillpoint/ode/tableau.h"

namespace stillpoint::ode {

/// A type that gives an explicit or diagonally implicit Runge–Kutta method as its tableau. It may have a
/// member `Newton newton`, how implicit stages are solved for.
template <class M>
concept RungeKutta = std::copyable<M> && requires(const M& method) {
  { method.tableau() } -> std::same_as<const Tableau&>;
};

/// Any method: `Tsit5{}`, `Leapfrog{}`, …, or a type of your own.
class Method {
 public:
  template <class M>
  requires(!std::same_as<M, Method> && RungeKutta<M>)
      Method(M method)  // NOLINT(google-explicit-constructor): options are written as the method's name
      : name_(stillpoint::detail::type_name(typeid(M))) {
    const auto held = std::make_shared<const M>(std::move(method));
    tableau_ = std::shared_ptr<const Tableau>(held, &held->tableau());
    if constexpr (requires { held->newton; }) newton_ = held->newton;
  }

  template <class M>
  requires(!std::same_as<M, Method> && SteppingMethod<M>)
      Method(const M& method)  // NOLINT(google-explicit-constructor): as above
      : name_(stillpoint::detail::type_name(typeid(M))) {
    Stepping stepping{
        .order = M::order,
        .begin = [method](const SlopeFunction& f, const at::Tensor& t,
                          const at::Tensor& y) { return method.begin(f, t, y); },
        .step = [method](
                    const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
                    const std::vector<at::Tensor>& memory) { return method.step(f, interval, y, memory); }};
    if constexpr (requires { M::embedded_order; }) stepping.embedded_order = M::embedded_order;
    if constexpr (requires { &M::back; }) {
      stepping.back = [method](const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
                               const std::vector<at::Tensor>& memory) {
        return method.back(f, interval, y, memory);
      };
    }
    stepping_ = std::make_shared<const Stepping>(std::move(stepping));
  }

  const std::string& name() const { return name_; }
  int order() const { return tableau_ ? tableau_->order : stepping_->order; }
  /// Of the value that an estimate of the error compares with; 0: there is no estimate.
  int embedded_order() const { return tableau_ ? tableau_->embedded_order : stepping_->embedded_order; }
  /// Null if it is none.
  const Tableau* tableau() const { return tableau_.get(); }
  /// How implicit stages of a tableau are solved for.
  const Newton& newton() const { return newton_; }
  /// The same method for another equation, of which `Newton::jacobian` knows nothing.
  Method without_jacobian() const {
    Method other = *this;
    other.newton_.jacobian = nullptr;
    return other;
  }
  /// Null if it is a tableau.
  const Stepping* stepping() const { return stepping_.get(); }

 private:
  std::string name_;
  std::shared_ptr<const Tableau> tableau_;
  Newton newton_;
  std::shared_ptr<const Stepping> stepping_;
};

}  // namespace stillpoint::ode
