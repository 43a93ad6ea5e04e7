#pragma once

#include "stillpoint/optim/least_squares_solver.h"

namespace stillpoint::optim {

/// The method of Levenberg and Marquardt: the step is least in ‖r + J d‖² + λ ‖D d‖², where D has the largest
/// norm so far of each column of J, so that units do not matter. λ follows the gain of a step over what the
/// model promised. The system is solved by an orthogonal factorization, without forming JᵀJ.
///
/// The first choice. Cost of a step for M residuals of N unknowns: one evaluation, min(M, 2N) products,
/// 2 B M N² operations, and 3 B N³ for each λ that is tried. (Marquardt 1963, SIAM Journal 11; Moré 1978,
/// Lecture Notes in Mathematics 630; Nielsen 1999, report IMM-REP-1999-05: λ.)
struct LevenbergMarquardt {
  double damping = 1e-3;  ///< > 0; the first λ. Raise it to 1 where the start is far off.

  void solve(detail::Fit& fit) const;
};

}  // namespace stillpoint::optim
