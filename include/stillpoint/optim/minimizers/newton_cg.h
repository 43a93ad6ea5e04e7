#pragma once

#include <cstdint>

#include "stillpoint/optim/minimizer.h"

namespace stillpoint::optim {

/// Newton's method by products with the Hessian alone: conjugate gradients solve for each step, roughly at
/// first and ever more exactly. They end where a direction of negative curvature turns up, and the step so
/// far is taken, or steepest descent. For many unknowns that are ill conditioned. Superlinear convergence.
/// Cost of a step: an evaluation or a few, and a Hessian product for each step of the inner iteration.
/// (Dembo, Steihaug 1983, Mathematical Programming 26; Nocedal, Wright 2006, algorithm 7.1.)
struct NewtonCg {
  std::int64_t max_products = 200;  ///< ≥ 1, for each step

  void minimize(detail::Descent& descent) const;
};

}  // namespace stillpoint::optim
