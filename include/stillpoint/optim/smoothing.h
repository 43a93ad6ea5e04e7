#pragma once

#include <cstdint>
#include <variant>

#include "stillpoint/optim/projections/perturbed_argmax.h"
#include "stillpoint/optim/row_number.h"

namespace stillpoint::optim {

/// Adds ε/2 |x|² to the objective: the solution is unique, and moves continuously with p. For a linear
/// program, small ε lead to the vertex itself.
struct Ridge {
  RowNumber epsilon;  ///< > 0
};

/// Subtracts μ Σ log s from the objective, s the slacks of Gx ≤ h and of the bounds: the solution lies inside
/// the constraints, and is differentiable to any order wherever it exists, in μ too. Each dual is μ / s.
///
/// There must be a point with positive slacks, and x must be determined. Cost: some Newton steps more.
struct Barrier {
  RowNumber mu;  ///< > 0
};

/// The mean of the solutions where p is perturbed, whose derivatives in p are unbiased estimates, of any
/// order; see `perturbed_argmax`. Derivatives in other parts are the means of those of the draws. It solves
/// `samples` times as many programs. The duals and the slack are means as well. A status is that of the worst
/// draw; one that fails has no part in derivatives in p.
using Perturbed = Perturbation;

/// What makes the solution of a program smoother in its data; `std::monostate` leaves it as it is.
using Smoothing = std::variant<std::monostate, Ridge, Barrier, Perturbed>;

/// What samples get that no point satisfies. Their status is `Infeasible`, with a certificate, in any case.
enum class OnInfeasible : std::uint8_t {
  Nan,   ///< NaN, and NaN gradients
  Zero,  ///< NaN, and gradients of zero whatever arrives
  /// The solution of the program whose h and b are changed, by the smallest amount in least squares, such
  /// that there is one; bounds change like h. It is differentiable in all parts. Duals of changed rows may
  /// have any sign, and their slack is negative. `OnFailure::Throw` still throws.
  ClosestFeasible,
};

}  // namespace stillpoint::optim
