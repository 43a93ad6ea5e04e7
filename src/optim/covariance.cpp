#include "stillpoint/optim/covariance.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "core/check.h"
#include "core/dtype.h"
#include "core/rows/rows.h"
#include "optim/least_squares/residual.h"
#include "optim/least_squares/robust.h"
#include "optim/minimizers/bounds.h"

namespace stillpoint {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Residuals and their Jacobian, weighted, with a graph if gradients are on.
struct WeightedModel {
  at::Tensor residual;  // [B, M], not weighted
  at::Tensor weights;   // ρ′, [B, M]
  at::Tensor jacobian;  // [B, M, N], times √ρ′
};

// uᵀJ is linear in u, and its derivative in the direction v is J v.
at::Tensor jacobian_by_columns(const at::Tensor& r, const at::Tensor& x, bool create_graph) {
  const std::int64_t batch = x.size(0);
  const std::int64_t width = x.numel() / batch;
  at::Tensor pulled;
  const at::Tensor u = at::zeros_like(r).requires_grad_();
  if (r.requires_grad()) pulled = torch::autograd::grad({r}, {x}, {u}, true, true, /*allow_unused=*/true)[0];
  const bool depends = pulled.defined() && pulled.requires_grad();
  std::vector<at::Tensor> columns;
  columns.reserve(width);
  for (std::int64_t i = 0; i < width; ++i) {
    at::Tensor column;
    if (depends) {
      const at::Tensor unit = at::zeros({batch, width}, x.options().requires_grad(false));
      unit.select(1, i).fill_(1);
      column = torch::autograd::grad({pulled}, {u}, {unit.reshape(x.sizes())}, true, create_graph, true)[0];
    }
    columns.push_back((column.defined() ? column : at::zeros_like(r)).reshape({batch, -1}));
  }
  return at::stack(columns, 2);
}

WeightedModel weighted_model(const Residual& residual, const detail::FitCost& cost, const at::Tensor& x) {
  const bool graph = at::GradMode::is_enabled();
  const c10::InferenceMode no_inference(false);
  at::Tensor r;
  at::Tensor jacobian;
  {
    const at::AutoGradMode recording(true);
    const at::Tensor start = x.is_inference() ? x.clone() : x;
    const at::Tensor input = start.requires_grad() ? start.view_as(start) : start.detach().requires_grad_();
    r = detail::checked_residual(residual)(input);
    cost.check(r);
    jacobian = jacobian_by_columns(r, input, graph);
  }
  if (!graph) r = r.detach();
  if (!graph) jacobian = jacobian.detach();
  const at::Tensor weights = cost.weights(r);
  return {r.reshape({x.size(0), -1}), weights, weights.sqrt().unsqueeze(2) * jacobian};
}

// What a bound holds, as booleans, `[B, N]`.
at::Tensor held_by_bounds(const detail::Bounds& bounds, const WeightedModel& model, const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  const at::Tensor weighted = (model.weights.sqrt() * model.residual).detach();
  const at::Tensor gradient = at::matmul(weighted.unsqueeze(1), model.jacobian.detach()).reshape(x.sizes());
  return bounds.detached().holds(x.detach(), gradient).reshape({x.size(0), -1});
}

// The rank of a Jacobian with scaled columns, of which those held have rows of their own.
void judge_rank(const at::Tensor& jacobian, const at::Tensor& held, Covariance& result) {
  const at::Tensor values = at::linalg_svdvals(detail::finite_or_zero(jacobian));
  const double rounding = detail::machine_epsilon(jacobian.scalar_type()) *
                          static_cast<double>(std::max(jacobian.size(1), jacobian.size(2)));
  const at::Tensor counts = values > rounding * values.amax(1, /*keepdim=*/true);
  const std::vector<double> rank = detail::to_host((counts.sum(1) - held.sum(1)).to(at::kDouble));
  const std::vector<double> wanted = detail::to_host(held.logical_not().sum(1).to(at::kDouble));
  const at::Tensor finite = jacobian.isfinite().all(2).all(1);
  const std::vector<double> sound = detail::to_host(finite.to(at::kDouble));
  result.singular = Mask(rank.size());
  for (std::size_t b = 0; b < rank.size(); ++b) {
    result.rank.push_back(static_cast<std::int64_t>(rank[b]));
    result.singular[b] = rank[b] < wanted[b] || sound[b] == 0.0;
  }
}

// R⁻¹, with RᵀR = JᵀJ, where that is not singular; differentiable.
at::Tensor inverse_triangle(const at::Tensor& jacobian, const at::Tensor& singular) {
  const at::TensorOptions options = jacobian.options().requires_grad(false);
  const at::Tensor identity = at::eye(jacobian.size(1), jacobian.size(2), options);
  const at::Tensor triangle = std::get<1>(at::linalg_qr(at::where(singular, identity, jacobian)));
  const at::Tensor unit = at::eye(jacobian.size(2), options).expand_as(triangle);
  return at::linalg_solve_triangular(triangle, unit, /*upper=*/true);
}

}  // namespace

Covariance covariance(const Residual& residual, const at::Tensor& x, const CovarianceOptions& options) {
  TORCH_CHECK(residual.map != nullptr, "residual: expected a function, got an empty one");
  detail::check_state("x", x);
  TORCH_CHECK(!detail::is_half_precision(x.scalar_type()), "x: expected float or double, got ",
              x.scalar_type());
  TORCH_CHECK(x.numel() > 0, "x: expected numbers, got shape ", x.sizes());
  TORCH_CHECK(!options.variance || *options.variance > 0.0, "variance: expected a number > 0, got ",
              *options.variance);
  const detail::Bounds bounds{options.lower, options.upper};
  bounds.check(x);
  const detail::FitCost cost{options.loss, options.block};
  const WeightedModel model = weighted_model(residual, cost, x);
  const std::int64_t count = model.residual.size(1);

  // Each held unknown gets a row of its own, which makes it known.
  const at::Tensor held = held_by_bounds(bounds, model, x);
  const at::Tensor free = held.logical_not().to(x.scalar_type());
  at::Tensor jacobian = model.jacobian * free.unsqueeze(1);
  const at::Tensor length = jacobian.detach().square().sum(1).sqrt();
  const at::Tensor scale = at::where(length > 0, length, 1);
  jacobian = at::cat({jacobian / scale.unsqueeze(1), at::diag_embed(1 - free)}, 1);

  Covariance result;
  judge_rank(jacobian.detach(), held, result);
  const at::Tensor degrees = static_cast<double>(count) - free.sum(1);
  const at::Tensor estimate =
      2.0 * cost.value(model.residual) / at::where(degrees > 0, degrees, at::full_like(degrees, kNaN));
  result.variance = options.variance ? at::full_like(degrees, *options.variance) : estimate;

  const at::Tensor singular = detail::to_mask(result.singular, jacobian);
  const at::Tensor inverse = inverse_triangle(jacobian, singular) * (free / scale).unsqueeze(2);
  const at::Tensor matrix =
      result.variance.reshape({-1, 1, 1}) * at::matmul(inverse, inverse.transpose(1, 2));
  result.matrix = at::where(singular, at::full_like(matrix, kNaN), matrix);
  // The root of a variance of zero has no derivative.
  const at::Tensor diagonal = result.matrix.diagonal(0, 1, 2);
  const at::Tensor known = held.logical_and(singular.reshape({-1, 1}).logical_not());
  const at::Tensor root = at::where(known, 1, diagonal).sqrt();
  result.deviation = at::where(known, at::zeros_like(root), root).reshape(x.sizes());
  return result;
}

}  // namespace stillpoint
