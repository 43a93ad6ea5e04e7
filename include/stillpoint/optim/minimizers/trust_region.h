#pragma once

#include <optional>

#include "stillpoint/optim/minimizer.h"

namespace stillpoint::optim {

/// Newton's method within a trust region: each step is the exact minimum of the quadratic model in a ball,
/// whose radius follows how well the model predicts. It needs no positive curvature, and goes down from
/// saddles along the direction that bends down most, also where the gradient has no part along it: the hard
/// case. It takes fewer and bolder steps than `Newton` where the Hessian is indefinite or singular.
///
/// Quadratic convergence. Cost of a step for samples of width N: an evaluation and its gradient; N Hessian
/// products, unless no sample moved; B·N² numbers, a Cholesky factor, and, while a radius matters, an
/// eigenvalue decomposition. Scale the unknowns alike: the region is a ball. (Moré, Sorensen 1983, SIAM
/// Journal on Scientific and Statistical Computing 4; Conn, Gould, Toint 2000, Trust-Region Methods, section
/// 7.3.)
struct TrustRegion {
  std::optional<double> radius = {};  ///< > 0, at first; empty: to the minimum along steepest descent

  void minimize(detail::Descent& descent) const;
};

}  // namespace stillpoint::optim
