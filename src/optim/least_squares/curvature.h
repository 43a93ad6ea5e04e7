#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/core/tolerance.h"

namespace stillpoint::detail {

/// How long steps are, in units of the residuals: Sᵢ |dxᵢ|, where Sᵢ is how much they depend on xᵢ.
struct StepSize {
  std::vector<double> length;
  std::vector<double> allowed;  ///< by the tolerance

  bool passes(std::size_t b) const { return length[b] <= allowed[b]; }
};

/// Of `step` at x, both `[B, N]`, with S as `influence`.
StepSize step_size(const at::Tensor& step, const at::Tensor& x, const at::Tensor& influence,
                   const ResolvedTolerance& tolerance);

/// Where a cost stands, from its derivatives to second order; `[B, N]` and `[B, N, N]`. What a bound holds is
/// zero in all of them.
struct SecondOrder {
  at::Tensor hessian;
  at::Tensor gradient;
  at::Tensor columns;   ///< the norms of the Jacobian's columns
  at::Tensor residual;  ///< its norm, `[B]`
  at::Tensor x;
};

/// What that says of the point.
struct Verdict {
  at::Tensor newton;          ///< where the quadratic model with moduli of curvature is least, `[B, N]`
  StepSize size;              ///< of that
  std::vector<double> least;  ///< the most negative curvature, relative to the largest; 0: none
  std::vector<double> flat;   ///< 1 where some direction has no curvature but rounding, else 0
  at::Tensor influence;       ///< S; zero where an unknown has neither influence nor curvature
  at::Tensor escape;          ///< the direction of that curvature; along all of it the model falls by `fall`
  std::vector<double> fall;   ///< ≤ 0
};

/// `cost` on the host. A curvature counts as zero if it is rounding error of the largest one.
Verdict judge_curvature(const SecondOrder& here, const std::vector<double>& cost,
                        const ResolvedTolerance& tolerance);

}  // namespace stillpoint::detail
