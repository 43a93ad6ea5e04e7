#pragma once

#include <cstdint>

#include "stillpoint/optim/minimizer.h"

namespace stillpoint::optim {

/// The quasi-Newton method of limited memory: the inverse Hessian is known from the latest steps of each
/// sample and from the changes of its gradient along them. A strong Wolfe search chooses the lengths. Where a
/// step saw no positive curvature its sample learns nothing from it.
///
/// The first choice for many unknowns. Linear convergence, mostly fast. Cost of a step: one evaluation of the
/// objective and its gradient, or a few; 4 · `memory` products of vectors; memory for 2 · `memory` states.
/// (Nocedal 1980, Mathematics of Computation 35; Nocedal, Wright 2006, algorithms 7.4 and 7.5.)
struct Lbfgs {
  std::int64_t memory = 10;  ///< ≥ 1; steps that are remembered, 5 to 30

  void minimize(detail::Descent& descent) const;
};

}  // namespace stillpoint::optim
