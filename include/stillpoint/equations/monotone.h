#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "stillpoint/core/map.h"
#include "stillpoint/equations/fixed_point.h"

namespace stillpoint {

/// The map z ↦ σ(W z + b) in its parts, for the splitting solvers `ForwardBackward` and `PeacemanRachford`.
///
/// If I − W is strongly monotone (vᵀ(I − W)v ≥ m vᵀv with m > 0) and σ is a projection onto a convex set, as
/// ReLU and clamping are, there is exactly one fixed point, however large W is, and both solvers find it.
/// Neither is tested. (Winston, Kolter 2020, Monotone operator equilibrium networks, section 3. Other
/// proximal operators, tanh among them, have one equilibrium, too, but their steps depend on α: take another
/// solver.)
struct MonotoneMap {
  Map affine;      ///< z ↦ W z + b, where b may depend on the sample
  Map activation;  ///< σ
  /// For a step α > 0 the map v ↦ (I + α (I − W))⁻¹ (v + α b). Called once a solve, so that it can factorize;
  /// needed by `PeacemanRachford` alone.
  std::function<Map(double step)> resolvent = {};
  /// The geometric mean of the singular values of I − W, |det(I − W)|^(1/N) > 0: the scale of the problem,
  /// which the default step of `PeacemanRachford` rests on. Called once a solve without a step. Empty: 1.
  std::function<double()> scale = {};
};

/// As `fixed_point` of z ↦ σ(W z + b), with any solver, and with those that need the parts. The gradient is
/// the implicit one of the whole map. Errors, too: a c10::Error naming f if a part is missing.
Solution<at::Tensor> fixed_point(const MonotoneMap& f, const at::Tensor& z0,
                                 const FixedPointOptions& options = {});

}  // namespace stillpoint
