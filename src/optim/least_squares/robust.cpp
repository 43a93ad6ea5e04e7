#include "optim/least_squares/robust.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/check.h"

namespace stillpoint {
namespace {

void check_scale(const char* loss, double scale) {
  TORCH_CHECK(scale > 0.0, loss, ".scale: expected a number > 0, got ", scale);
}

}  // namespace

at::Tensor optim::Huber::operator()(const at::Tensor& s) const {
  check_scale("Huber", scale);
  const double square = scale * scale;
  // The root is kept away from zero, where its derivative is infinite.
  const at::Tensor beyond = 2.0 * scale * s.clamp_min(square).sqrt() - square;
  return at::where(s <= square, s, beyond);
}

at::Tensor optim::SoftL1::operator()(const at::Tensor& s) const {
  check_scale("SoftL1", scale);
  // √(1 + t) − 1 without cancellation.
  return 2.0 * s / ((1.0 + s / (scale * scale)).sqrt() + 1.0);
}

at::Tensor optim::Cauchy::operator()(const at::Tensor& s) const {
  check_scale("Cauchy", scale);
  return scale * scale * (s / (scale * scale)).log1p();
}

at::Tensor optim::Tukey::operator()(const at::Tensor& s) const {
  check_scale("Tukey", scale);
  const at::Tensor t = (s / (scale * scale)).clamp_max(1.0);
  return scale * scale * (t - t.square() + t * t.square() / 3.0);
}

namespace detail {

// The residuals of a sample in a row, also of no samples.
static at::Tensor in_rows(const at::Tensor& residual) {
  return residual.dim() == 1 ? residual.unsqueeze(1) : residual.flatten(1);
}

void FitCost::check(const at::Tensor& residual) const {
  TORCH_CHECK(block >= 1, "block: expected ≥ 1, got ", block);
  const std::int64_t count = in_rows(residual).size(1);
  TORCH_CHECK(count % block == 0, "block: expected a divisor of the ", count, " residuals of a sample, got ",
              block);
}

at::Tensor FitCost::squares(const at::Tensor& residual) const {
  const at::Tensor rows = in_rows(residual);
  return rows.reshape({rows.size(0), rows.size(1) / block, block}).square().sum(2);
}

at::Tensor FitCost::value(const at::Tensor& residual) const {
  const at::Tensor s = squares(residual);
  const at::Tensor costs = loss(s);
  check_like("loss", costs, s);
  return 0.5 * costs.sum(1);
}

at::Tensor FitCost::weights(const at::Tensor& residual) const {
  const bool graph = at::GradMode::is_enabled();
  const c10::InferenceMode no_inference(false);
  const at::AutoGradMode recording(true);
  at::Tensor s = squares(residual);
  s = graph && s.requires_grad() ? s : s.detach().requires_grad_();
  const at::Tensor costs = loss(s);
  check_like("loss", costs, s);
  at::Tensor slope = at::zeros_like(s);
  if (costs.requires_grad()) {
    slope = torch::autograd::grad({costs}, {s}, {at::ones_like(costs)}, graph, graph, true)[0];
  }
  if (!graph) slope = slope.detach();
  const at::Tensor each = slope.unsqueeze(2).expand({s.size(0), s.size(1), block});
  return each.reshape({s.size(0), s.size(1) * block});
}

}  // namespace detail
}  // namespace stillpoint
