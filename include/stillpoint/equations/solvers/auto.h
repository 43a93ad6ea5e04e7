#pragma once

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Starts with a cheap method and switches to a stronger one for the samples that need it.
///
/// It begins with `Anderson` for fixed points and with `Newton` for roots, or with `NewtonKrylov` for roots
/// of samples that are too wide. A sample moves on if its best residual has not halved in `window` steps, or
/// is no longer finite. It goes on from its best iterate, with `Dogleg` if it is at most `dense_width` wide,
/// else with `NewtonKrylov`. Steps during which a sample waits for others to finish the first method do not
/// count as its iterations.
///
/// `Stats::method` says what was done: "Auto (Anderson, then Dogleg for 3 of 100 samples)".
struct Auto {
  static constexpr bool solves_roots = true;
  std::int64_t window = 20;        ///< ≥ 1, in steps
  std::int64_t dense_width = 512;  ///< ≥ 0: the widest samples whose Jacobians are written out

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* inverse = nullptr) const;
};

}  // namespace stillpoint
