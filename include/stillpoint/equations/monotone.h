#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "stillpoint/core/condition.h"

namespace stillpoint {

/// The map z ↦ σ(W z + b) in its parts, for `fixed_point` with the splitting solvers
/// `ForwardBackward` and `PeacemanRachford`.
///
/// Let I − W be strongly monotone (vᵀ(I − W)v ≥ m vᵀv with m > 0), and let σ be a projection onto a convex
/// set, as ReLU and clamping are. Then there is exactly one fixed point, however large W is, and both solvers
/// find it. Neither condition is tested. (Winston, Kolter 2020, Monotone operator equilibrium networks,
/// section 3. Other proximal operators, among them tanh, have one equilibrium, too, but their steps depend on
/// α: choose another solver.)
struct MonotoneMap {
  Map affine;      ///< z ↦ W z + b, where b may depend on the sample
  Map activation;  ///< σ
  /// For a step α > 0, the map v ↦ (I + α (I − W))⁻¹ (v + α b). Called once per solve, so it can factorize.
  /// Only `PeacemanRachford` needs it.
  std::function<Map(double step)> resolvent = {};
  /// The geometric mean of the singular values of I − W, |det(I − W)|^(1/N) > 0. It is the scale of the
  /// problem, on which the default step of `PeacemanRachford` is based. Called once per solve without a step.
  /// Empty: 1.
  std::function<double()> scale = {};

  /// The condition of the whole map, z = σ(W z + b): with any solver, and with those that need the parts. The
  /// gradient is the implicit one of the whole map. Errors: a c10::Error naming f if a part is missing.
  operator Condition() const;  // NOLINT(google-explicit-constructor): verbs take it as it is
};

}  // namespace stillpoint
