#pragma once

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// A damped iteration of a pair that can be run backwards, as `ReversibleGradient` does.
///
///     y ← (1 − mixing) y + mixing f(z),   z ← (1 − mixing) z + mixing f(y),   both from z0.
///
/// z is what is shown, judged and returned; both tend to z*. Converges if f contracts, by about 1 − mixing +
/// mixing ρ per step, with two evaluations per step and memory for four states. The pair is kept in double
/// whatever the dtype, so a reversal in float starts from rounding in double. (McCallum, Arora, Foster 2025,
/// Reversible Deep Equilibrium Models, arXiv 2509.12917.)
struct Reversible {
  double mixing = 0.8;  ///< in (0, 1)

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
  /// The iteration of the pair (z, y) as a function, see `OffersStep`.
  State init(const at::Tensor& z0) const;
  State step(const Map& f, const State& state, const at::Tensor& fz) const;
};

}  // namespace stillpoint
