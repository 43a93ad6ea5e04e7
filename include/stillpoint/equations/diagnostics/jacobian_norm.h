#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "stillpoint/core/map.h"

namespace stillpoint {

/// How strongly f reacts to its argument at z, for Jacobian regularization: an estimate of ‖J‖_F² / N for
/// each sample, `[B]`. Here J = ∂f/∂z, and N is the width of a sample. (Hutchinson's estimator; Bai, Koltun,
/// Kolter 2021, Stabilizing Equilibrium Models by Jacobian Regularization, section 4.)
///
/// The result is the mean over `probes` draws of ‖εᵀJ‖² / N. Each ε is standard normal, in the shape of z
/// (`[B, …]`, floating point), from LibTorch's generator of the device of z. The expectation is ‖J‖_F² / N.
/// Samples must not mix in f. Add a multiple of the mean to the loss:
///
///     auto [z, stats] = fixed_point(f, z0);
///     loss = loss_of(z) + 0.1 * jacobian_norm(f, z).mean();
///
/// Differentiable in z and in everything that f captured, to the orders that f is. The gradient is exactly
/// that of the number returned, hence unbiased. If z is the output of `fixed_point`, it goes through z, too;
/// use z.detach() to leave that part out. If gradients are off, or nothing requires one, the result is a
/// constant.
///
/// Errors: a c10::Error naming the argument if z is not a floating-point tensor with a batch dimension,
/// `probes` is below 1, or f changes shape, dtype or device. Cost: one recorded evaluation and `probes`
/// products, recorded if gradients are on.
at::Tensor jacobian_norm(const Map& f, const at::Tensor& z, std::int64_t probes = 1);

/// The same for a state of several tensors `[B, …]`. N counts the numbers of a sample in all of them.
at::Tensor jacobian_norm(const TupleMap& f, const std::vector<at::Tensor>& z, std::int64_t probes = 1);

}  // namespace stillpoint
