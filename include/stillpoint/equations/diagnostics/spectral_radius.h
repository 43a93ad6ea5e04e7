#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "stillpoint/core/map.h"
#include "stillpoint/core/solution.h"

namespace stillpoint {

/// Options of `spectral_radius`.
struct SpectralRadiusOptions {
  std::int64_t subspace = 20;  ///< ≥ 3: vectors in the Krylov basis of a sample; at most its width is used
  std::int64_t max_products = 400;         ///< ≥ 1, over all restarts
  double tolerance = 1e-4;                 ///< > 0: of the residual of the eigenpair, relative to the radius
  OnFailure on_failure = OnFailure::Warn;  ///< for samples that miss the tolerance
};

/// The largest modulus of an eigenvalue of J = ∂f/∂z at z, for each sample of `[B, …]`, on the host. If it is
/// below 1, Picard's iteration converges at this rate near the fixed point. The further below, the better
/// posed the gradient is.
///
/// It is found by Arnoldi's method, for each sample, on Jᵀ, which has the eigenvalues of J. The method is
/// restarted with the half of its basis that belongs to the largest eigenvalues (Arnoldi 1951; Stewart 2001,
/// A Krylov–Schur algorithm). Complex eigenvalues are no harder than real ones. Samples no wider than
/// `subspace` end with all eigenvalues, exact to rounding.
///
/// If `max_products` run out, the estimate so far comes back. If the Jacobian of a sample is not finite, NaN
/// comes back. Neither affects the other samples. If J is far from normal, eigenvalues react to
/// perturbations, including rounding, by more than the tolerance.
///
/// Samples must not mix in f. The start is random but always the same, and does not advance LibTorch's
/// generators. No gradient. Errors: a c10::Error naming the argument if z is not a floating-point tensor with
/// a batch dimension, an option is out of range, or f changes shape, dtype or device. Cost: one recorded
/// evaluation, and a replayed product per step; memory for `subspace` + 1 states.
std::vector<double> spectral_radius(const Map& f, const at::Tensor& z,
                                    const SpectralRadiusOptions& options = {});

/// The same for a state of several tensors `[B, …]`.
std::vector<double> spectral_radius(const TupleMap& f, const std::vector<at::Tensor>& z,
                                    const SpectralRadiusOptions& options = {});

}  // namespace stillpoint
