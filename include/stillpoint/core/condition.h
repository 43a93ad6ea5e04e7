#pragma once

#include <ATen/core/Tensor.h>

#include <any>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "stillpoint/core/map.h"
#include "stillpoint/core/operator.h"

namespace stillpoint {

/// The form in which a map states what must hold of its argument.
enum class Form : std::uint8_t {
  FixedPoint,  ///< z = f(z): the residual is f(z) − z
  Root,        ///< f(z) = 0: the residual is f(z)
};

/// What must hold of a solution, as a value: a map, the form in which it states its condition, and what else
/// is known of it.
///
/// Verbs take it, and it is made implicitly from what a caller writes: a function of the state, `{f, inputs}`
/// for one that takes what belongs to each sample beside it, or a type that knows the map in its parts, such
/// as `MonotoneMap`. The verb says which form is meant and what messages call the map.
struct Condition {
  /// f(z), for a function or function object from a state to one of the same shape.
  template <class F>
  requires(std::is_invocable_r_v<at::Tensor, F&, const at::Tensor&>)
      Condition(F f)  // NOLINT(google-explicit-constructor): conditions are written as their map
      : map(std::move(f)) {}
  /// f(z, inputs), with inputs `[B, …]`, so that it can be evaluated for some of the samples.
  Condition(MapWithInputs f, std::vector<at::Tensor> f_inputs);

  /// This condition in a form, of a map that messages call `map_name`.
  Condition stated(Form as, std::string map_name) const;

  /// What has to vanish at z, from the value of the map there.
  at::Tensor residual(const at::Tensor& z, const at::Tensor& value) const;
  /// A = −∂r/∂z of that residual, from products with the Jacobian of the map: v ↦ Jv, or Aᵀ from u ↦ Jᵀu.
  LinearOperator negative_jacobian(Map jacobian_product) const;
  /// A part of the map, by its type; null if it was not made from one.
  template <class Part>
  const Part* part() const {
    return std::any_cast<Part>(&parts);
  }

  Map map;
  Form form = Form::FixedPoint;
  Structure structure = Structure::General;  ///< of ∂r/∂z
  std::string name = "f";                    ///< what messages call the map
  MapWithInputs divisible = {};              ///< the map that takes inputs; empty if there are none
  std::vector<at::Tensor> inputs = {};
  std::any parts = {};
};

/// The same for a state of several tensors `[B, …]` with one B.
struct TupleCondition {
  template <class F>
  requires(std::is_invocable_r_v<std::vector<at::Tensor>, F&, const std::vector<at::Tensor>&>)
      TupleCondition(F f)  // NOLINT(google-explicit-constructor): conditions are written as their map
      : map(std::move(f)) {}
  TupleCondition(TupleMapWithInputs f, std::vector<at::Tensor> f_inputs)
      : divisible(std::move(f)), inputs(std::move(f_inputs)) {}

  TupleMap map = {};
  TupleMapWithInputs divisible = {};  ///< in its place where there are inputs
  std::vector<at::Tensor> inputs = {};
};

}  // namespace stillpoint
