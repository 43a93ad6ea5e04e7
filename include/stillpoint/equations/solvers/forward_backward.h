#pragma once

#include <optional>

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Forward–backward splitting for a `MonotoneMap`: z ← σ(z − α (z − W z − b)). One evaluation per iteration.
///
/// Without a step, each sample chooses its own after each iteration, from what that one showed of I − W: α =
/// ΔzᵀΔF / ΔFᵀΔF with F(z) = z − W z − b (Barzilai, Borwein 1988, equation 6). If the residual has not
/// reached a new minimum for ten iterations, the sample's steps are limited to half of what they were. This
/// ends, because every step below 2m / L² contracts, where m and L are the constants of monotonicity and
/// Lipschitz continuity of I − W. (Winston, Kolter 2020, algorithm 1.)
struct ForwardBackward {
  std::optional<double> step = {};  ///< α > 0; empty: chosen as above

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
