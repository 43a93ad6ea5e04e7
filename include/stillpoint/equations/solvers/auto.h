#pragma once

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Starts cheap and escalates, sample by sample, where that does not get on: the best residual has not halved
/// in `window` steps, or has left the finite numbers. The samples concerned go on from their best iterate
/// with `Dogleg` if they are at most `dense_width` wide, else with `NewtonKrylov`. The start is `Anderson`
/// for fixed points; for roots it is `Newton`, or `NewtonKrylov` where samples are too wide. Steps that a
/// sample waits while others finish the first method are not counted as its iterations.
///
/// `Stats::method` says what was done: "Auto (Anderson, then dogleg for 3 of 100 samples)".
struct Auto {
  static constexpr const char* name = "Auto";
  static constexpr bool solves_roots = true;
  std::int64_t window = 20;        ///< ≥ 1, in steps
  std::int64_t dense_width = 512;  ///< ≥ 0: the widest samples whose Jacobians are written out

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
