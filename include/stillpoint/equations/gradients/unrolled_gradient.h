#pragma once

#include "stillpoint/equations/gradient.h"

namespace stillpoint {

/// Differentiates the iteration itself, by recording every step. This is the exact derivative of what was
/// computed, to any order, in z0 too. Memory grows with the iterations. Goes with solvers that
/// offer their step (see `OffersStep`), `Picard` and `Reversible`. Each sample stops at the iterate that
/// converged, as it does without gradients. A sample that did not converge returns its last iterate.
struct UnrolledGradient {
  at::Tensor differentiate(Problem& problem) const;
};

/// The same derivative in less memory. It keeps only every `every`-th iterate, and computes the steps between
/// again in the backward pass. Memory for iterations / every + every states; one more evaluation per step.
/// Goes with the same solvers.
struct CheckpointedGradient {
  std::int64_t every = 10;  ///< ≥ 1, in steps: the square root of the iterations needs least memory

  at::Tensor differentiate(Problem& problem) const;
};

}  // namespace stillpoint
