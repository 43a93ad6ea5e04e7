#pragma once

#include "stillpoint/core/linear_solver.h"

namespace stillpoint {

/// Restarted generalized minimal residual method (GMRES), for any operator. One product per iteration and one
/// per restart. Memory for as many vectors as a cycle has products, eight at a time, at most `restart` + 1.
/// Gram–Schmidt is repeated where it cancels more than half of a vector, so the basis stays orthogonal nearly
/// to rounding. (Saad, Schultz 1986; Daniel, Gragg, Kaufman, Stewart 1976; Giraud, Langou, Rozložník 2005 on
/// why twice is enough.)
///
/// A sample is given up as stalled if its residual falls by less than a twentieth in a tenth of the
/// iterations allowed (at least 30 and a cycle), or by less than half if it is as small as the rounding of b.
/// Then its matrix is close to singular, the restart too short, or the tolerance below rounding.
struct Gmres {
  std::int64_t restart = 30;          ///< ≥ 1: size of the basis; at most the width of a sample is used
  std::int64_t max_iterations = 300;  ///< ≥ 0: products in the basis, over all restarts

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                             const ResolvedTolerance& tolerance) const;
};

}  // namespace stillpoint
