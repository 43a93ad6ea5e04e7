#pragma once

#include <optional>

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Peaceman–Rachford splitting for a `MonotoneMap` with a resolvent. Converges for every step, in fewer
/// iterations than `ForwardBackward`. An iteration costs one resolvent, and one evaluation for the residual.
///
/// Without a step, α = 1 / `MonotoneMap::scale()`. For this α the reflected resolvent of a typical singular
/// value σ, (1 − ασ) / (1 + ασ), vanishes. (Winston, Kolter 2020, algorithm 2; Ryu, Boyd 2016, Primer on
/// monotone operator methods, section 7.)
struct PeacemanRachford {
  std::optional<double> step = {};  ///< α > 0; empty: chosen as above

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
