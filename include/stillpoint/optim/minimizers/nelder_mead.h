#pragma once

#include "stillpoint/optim/minimizer.h"

namespace stillpoint::optim {

/// The simplex method of Nelder and Mead, for functions without gradients: it asks f for values alone, which
/// may be rounded, jump or have kinks. Each sample has its own simplex, whose moves depend on the number of
/// unknowns. It takes bounds. For some tens of unknowns at most, and to half the digits of x.
///
/// **When a sample is solved.** No gradient says so. A simplex has come down to the tolerance: all its
/// corners lie within absolute + relative · ‖x‖ of the best one, and so has a second one, which began a
/// hundred times as wide around what the first came to, and came back to it; so a simplex that went flat is
/// found out. If the values at its corners differ by no more than their rounding at that start, the sample is
/// `Stalled`: then f cannot tell points apart that the tolerance can. Since values are flat at a minimum,
/// that is the case below about 1e-8 · ‖x‖ in double. Empty fields of the tolerance are therefore 1e-6 and
/// 1e-8 here, and 1e-2 and 1e-3 in float. `Stats::residual` is the size of the simplex.
///
/// Where f is differentiable twice the result has derivatives all the same, as good as x is.
///
/// Cost of an iteration: two values, and now and then N; B·N² numbers. (Nelder, Mead 1965, The Computer
/// Journal 7; Gao, Han 2012, Computational Optimization and Applications 51: the coefficients; Kelley 1999,
/// SIAM Journal on Optimization 10: that simplexes fail, and begin anew.)
struct NelderMead {
  double size = 0.05;  ///< > 0, of the first simplex, by the largest number of x0, or by 1 if all are zero

  void minimize(detail::DirectSearch& search) const;
};

}  // namespace stillpoint::optim
