#pragma once

#include <cstdint>
#include <optional>

#include "stillpoint/optim/minimizer.h"

namespace stillpoint::optim {

/// A trust region by products with the Hessian alone: conjugate gradients on the model, which end on the
/// border of the region where they cross it, or where a direction of negative curvature turns up. For many
/// unknowns, like `NewtonCg`, and better where the Hessian is indefinite on the way. Superlinear convergence.
/// Cost of a step: an evaluation and its gradient, and a product for each step of the inner iteration.
/// (Steihaug 1983, SIAM Journal on Numerical Analysis 20; Nocedal, Wright 2006, algorithm 7.2.)
struct SteihaugCg {
  std::int64_t max_products = 200;    ///< ≥ 1, for each step
  std::optional<double> radius = {};  ///< > 0, at first; empty: to the minimum along steepest descent

  void minimize(detail::Descent& descent) const;
};

}  // namespace stillpoint::optim
