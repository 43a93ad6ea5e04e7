#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/core/mask.h"
#include "stillpoint/optim/row_number.h"

namespace stillpoint::optim {

/// A fit that is constant on blocks.
struct BlockFit {
  at::Tensor value;  ///< like y
  /// Rows whose derivative is that of one side: two neighbors are held together, or an entry at zero, by a
  /// force that is just enough, to rounding; or they are apart by no more than rounding. Their derivatives
  /// are finite. In one dimension rounding is, with ε of y's dtype, 4ε √(Σ y²) over the block so far for a
  /// force, since the numbers of y are rounded each for itself, 4ε max |y| for a distance, and that of the
  /// sums in double.
  Mask weak;
};

/// The x that minimizes ½ Σ (x − y)² + lambda Σ |xᵢ₊₁ − xᵢ| for each row of `y`, `[B, n]`: total variation
/// denoising in one dimension.
///
/// x is constant on blocks, and there the mean of y plus −1, 0 or 1 times 2 lambda / size (half of it at an
/// end): so it is differentiable to any order in y and lambda, while blocks stay what they are. A row becomes
/// NaN if it has NaN or ±∞, or lambda < 0, as do its gradients.
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1, or lambda does not fit. Cost:
/// O(n) a row; blocks are found on the host, exactly. (Johnson 2013, dynamic programming.)
BlockFit total_variation(const at::Tensor& y, const RowNumber& lambda);

/// The same with the penalty sparsity · Σ |xᵢ| beside that of total variation: the fused lasso's signal
/// approximator. It is the fit above, with each number moved by sparsity toward zero. (Friedman, Hastie,
/// Höfling, Tibshirani 2007.)
BlockFit fused_lasso(const at::Tensor& y, const RowNumber& lambda, const RowNumber& sparsity);

/// The x that minimizes ½ Σ (x − y)² + lambda Σ |xᵢ − xⱼ| for each grid of `y`, `[B, H, W]`, with the second
/// sum over all pairs of pixels beside or above each other: anisotropic total variation denoising of images.
///
/// x is constant on connected blocks, and there the mean of y plus lambda / size times the number of
/// neighbors that are higher less those that are lower: so it is differentiable to any order in y and lambda,
/// while blocks stay what they are. `weak` has the meaning of one dimension: a part of a block is held by
/// forces that are just enough, to rounding. A grid becomes NaN if it has NaN or ±∞, or lambda < 0, as do its
/// gradients.
///
/// Errors: a c10::Error if y is not `[B, H, W]` in float or double with H, W ≥ 1, or lambda does not fit.
/// Cost: a maximum flow in each region that is cut in two, at its mean, each begun where the last one ended.
/// That came to one to five microseconds a pixel for grids of 64² to 512² pixels, noise, edges, slopes and
/// ties alike; more where lambda moves numbers across the whole grid. On the host, a thread for each grid.
/// (Hochbaum 2001; Darbon, Sigelle 2006; Chambolle, Darbon 2009.)
BlockFit total_variation_2d(const at::Tensor& y, const RowNumber& lambda);

}  // namespace stillpoint::optim
