#pragma once

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Plain iteration, z ← (1 − damping) z + damping f(z). One evaluation per iteration. Converges if f
/// contracts.
struct Picard {
  double damping = 1.0;  ///< in (0, 1]: below 1 it tames maps whose Jacobian has eigenvalues below −1

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
  /// The iteration as a function, see `OffersStep`.
  State init(const at::Tensor& z0) const;
  State step(const Map& f, const State& state, const at::Tensor& fz) const;
};

}  // namespace stillpoint
