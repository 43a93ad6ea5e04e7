#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace stillpoint::optim {

/// A combinatorial solver of your own: for each row of theta, `[R, n]`, the y of a finite set with the
/// largest theta'y, as `[R, n]`. It is called with gradients off.
using ArgmaxSolver = std::function<at::Tensor(const at::Tensor& theta)>;

/// How to perturb: theta + sigma Z, with Z standard normal.
struct Perturbation {
  std::int64_t samples = 100;    ///< ≥ 1, draws a row; errors fall as 1 / √samples
  double sigma = 1.0;            ///< > 0, in units of theta; small ones are less smooth and noisier
  at::Generator generator = {};  ///< of the draws; LibTorch's default one if undefined
};

/// The mean of the solver's y over perturbations of each row of `theta`, `[B, n]`: a smooth argmax.
///
/// The mean of y over the draws is an unbiased estimate, and so are its derivatives in theta, of any order:
/// each draw is weighted by its density relative to the one that it was drawn from, which is 1. The solver
/// is not differentiated. The same draws serve all derivatives. A row with NaN becomes what the solver makes
/// of it.
///
/// Errors: a c10::Error if theta is not `[B, n]` in float or double with n ≥ 1, if an option is out of range,
/// or if the solver returns another shape, dtype or device. Cost: one call of the solver with B · samples
/// rows. (Berthet, Blondel, Teboul, Cuturi, Vert, Bach 2020; Foerster et al. 2018 on the weights.)
at::Tensor perturbed_argmax(const ArgmaxSolver& solver, const at::Tensor& theta,
                            const Perturbation& options = {});

/// The Fenchel–Young loss of each row of `theta` for the y that it should lead to, `target`, `[B, n]`: the
/// mean of max theta'y over perturbations, less theta'target. `[B]`.
///
/// Its gradient in theta is the perturbed argmax, less target: zero where this meets the target. Its higher
/// derivatives are those of the perturbed argmax, made symmetric, up to the sixth order; beyond that they are
/// wrong. Up to a constant that depends on the target alone, it is the smallest where it should be.
at::Tensor fenchel_young_loss(const ArgmaxSolver& solver, const at::Tensor& theta, const at::Tensor& target,
                              const Perturbation& options = {});

}  // namespace stillpoint::optim
