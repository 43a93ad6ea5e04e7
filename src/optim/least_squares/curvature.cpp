#include "optim/least_squares/curvature.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <tuple>

#include "core/dtype.h"
#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

std::vector<double> marks(const at::Tensor& condition) { return to_host(condition.to(at::kDouble)); }

// The columns of the Hessian, scaled to a diagonal of at most one.
struct ScaledHessian {
  at::Tensor influence;  // S, [B, N]
  at::Tensor unit;       // S, or 1 where that is zero
  at::Tensor values, vectors;
  double rounding;  // relative to the largest eigenvalue

  ScaledHessian(const at::Tensor& hessian, const at::Tensor& columns) {
    const at::Tensor diagonal = hessian.diagonal(0, 1, 2).abs().sqrt();
    influence = at::maximum(columns, diagonal);
    unit = at::where(influence > 0, influence, 1);
    const at::Tensor scaled = hessian / unit.unsqueeze(1) / unit.unsqueeze(2);
    std::tie(values, vectors) = at::linalg_eigh(finite_or_zero(0.5 * (scaled + scaled.transpose(1, 2))));
    rounding = 100.0 * machine_epsilon(hessian.scalar_type()) * static_cast<double>(hessian.size(1));
  }
};

}  // namespace

StepSize step_size(const at::Tensor& step, const at::Tensor& x, const at::Tensor& influence,
                   const ResolvedTolerance& tolerance) {
  const at::Tensor lengths = (influence * step).contiguous();
  StepSize size{row_norms(lengths, tolerance.norm), {}};
  const at::Tensor whole = to_column(row_norms((influence * x).contiguous(), tolerance.norm), x);
  const at::Tensor allowed = tolerance.absolute * influence + tolerance.relative * whole;
  const std::vector<double> parts =
      row_norms(at::where(lengths == 0, lengths, lengths / allowed).contiguous(), tolerance.norm);
  for (std::size_t b = 0; b < parts.size(); ++b) {
    size.allowed.push_back(parts[b] > 0.0 ? size.length[b] / parts[b] : size.length[b]);
  }
  return size;
}

Verdict judge_curvature(const SecondOrder& here, const std::vector<double>& cost,
                        const ResolvedTolerance& tolerance) {
  const ScaledHessian scaled(here.hessian, here.columns);
  const double epsilon = machine_epsilon(here.x.scalar_type());
  const at::Tensor slopes =
      at::matmul(scaled.vectors.transpose(1, 2), (here.gradient / scaled.unit).unsqueeze(2)).squeeze(2);
  const at::Tensor moduli = scaled.values.abs();
  const at::Tensor cut = scaled.rounding * moduli.amax(1, /*keepdim=*/true);
  const at::Tensor is_flat = moduli <= cut;
  // In a direction without curvature, slopes that are rounding errors say nothing.
  const at::Tensor size = (scaled.influence * here.x).square().sum(1, /*keepdim=*/true).sqrt();
  const at::Tensor noise = 10.0 * epsilon * (here.residual.unsqueeze(1) + size);
  const at::Tensor counts = is_flat.logical_not().logical_or(slopes.abs() > noise);
  const at::Tensor safe = at::where(is_flat, at::where(cut > 0, cut, 1), moduli);
  const at::Tensor along = at::where(counts, -slopes / safe, 0);
  const auto to_x = [&](const at::Tensor& coefficients) {
    return at::matmul(scaled.vectors, coefficients.unsqueeze(2)).squeeze(2) / scaled.unit;
  };
  Verdict verdict;
  verdict.newton = at::where(scaled.influence > 0, to_x(along), 0);
  verdict.size = step_size(verdict.newton, here.x, scaled.influence, tolerance);
  const at::Tensor least = scaled.values.select(1, 0);
  const at::Tensor negative = least < -cut.squeeze(1);
  verdict.least = to_host(at::where(negative, least, at::zeros_like(least)));
  verdict.flat = marks(is_flat.logical_and(scaled.influence > 0).any(1));
  verdict.influence = scaled.influence;
  at::Tensor direction = scaled.vectors.select(2, 0) / scaled.unit;
  const at::Tensor rise = (direction * here.gradient).sum(1, /*keepdim=*/true);
  direction = at::where(rise > 0, -direction, direction);
  // Far enough for the model to fall by the whole cost.
  std::vector<double> length(cost.size(), 0.0);
  verdict.fall.assign(cost.size(), 0.0);
  for (std::size_t b = 0; b < cost.size(); ++b) {
    if (verdict.least[b] >= 0.0) continue;
    length[b] = std::sqrt(2.0 * cost[b] / -verdict.least[b]);
    verdict.fall[b] = -cost[b];
  }
  verdict.escape = direction * to_column(length, direction);
  return verdict;
}

}  // namespace stillpoint::detail
