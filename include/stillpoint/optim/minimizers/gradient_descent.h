#pragma once

#include "stillpoint/optim/minimizer.h"

namespace stillpoint::optim {

/// Steepest descent. A step has the length that the curvature along the latest one suggests; it is halved
/// until the value is below the highest of the latest ten by Armijo's rule, so values may rise for a while.
/// Linear convergence, slow where the Hessian is ill conditioned, but mostly much faster than with values
/// that fall at each step. Cost of a step: one evaluation of the objective and its gradient, or a few.
/// (Barzilai, Borwein 1988, IMA Journal of Numerical Analysis 8; Raydan 1997, SIAM Journal on Optimization 7;
/// with bounds: Birgin, Martínez, Raydan 2000, the same 10.)
struct GradientDescent {
  static constexpr bool offers_steps = true;

  void minimize(detail::Descent& descent) const;
};

}  // namespace stillpoint::optim
