#pragma once

#include <cstdint>

namespace stillpoint::optim {

/// A primal-dual interior point method with Mehrotra's predictor and corrector, on the homogeneous embedding
/// with quadratic cost, and an active-set polish at its end.
///
/// The embedding finds a solution or a certificate that there is none. The polish solves the equations of the
/// rows that are active there, so that what is returned, and differentiated, is the solution of the exact
/// active set and not a point near it; it is tried as soon as these rows usually show. Each instance is
/// solved for itself, in double, on the CPU.
///
/// Cost for n unknowns and m rows, dense: m³/3 operations an iteration where Q is definite, mn² + n³/3 else.
/// (Mehrotra 1992; Goulart, Chen 2024: Clarabel.)
struct InteriorPoint {
  std::int64_t max_iterations = 100;  ///< ≥ 1; usually 5 to 15 are taken
};

}  // namespace stillpoint::optim
