#pragma once

#include "stillpoint/optim/least_squares_solver.h"

namespace stillpoint::optim {

/// The method of Levenberg and Marquardt: the step is least in ‖r + J d‖² + λ ‖D d‖², where D has the largest
/// norm so far of each column of J, so that units do not matter. λ is chosen so that the step ends at the
/// edge of a region of trust, and zero where that of Gauss and Newton ends within; the region follows the
/// gain of a step over what the model promised. The system is solved by an orthogonal factorization, without
/// forming JᵀJ.
///
/// The first choice. Cost of a step for M residuals of N unknowns: one evaluation, min(M, 2N) products, 2 B M
/// N² operations, and 3 B N³ for each λ that is tried, mostly one to three, or none. (Marquardt 1963, SIAM
/// Journal 11; Moré 1978, Lecture Notes in Mathematics 630.)
struct LevenbergMarquardt {
  /// > 0, relative to the start in scaled variables, 0.1 to 100. Lower it where first steps lead astray.
  double first_radius = 1.0;

  void solve(detail::Fit& fit) const;
};

}  // namespace stillpoint::optim
