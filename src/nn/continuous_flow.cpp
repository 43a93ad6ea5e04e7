#include "stillpoint/nn/continuous_flow.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <functional>
#include <mutex>
#include <numbers>
#include <numeric>
#include <ostream>
#include <utility>

#include "core/report_lock.h"
#include "stillpoint/autograd/products.h"

namespace stillpoint::nn {
namespace {

using List = std::vector<at::Tensor>;

at::Tensor as_rows(const at::Tensor& samples) { return samples.reshape({samples.size(0), -1}); }

// The slope at z, the trace of its Jacobian, and the square of the Jacobian's norm, `[B, 1]` each.
struct Slope {
  at::Tensor f;
  at::Tensor trace;
  at::Tensor square;
};

// Each sample comes as often as it has numbers, with one row of the identity after the other.
Slope exact(const FieldModule& field, const at::Tensor& t, const at::Tensor& z) {
  const std::int64_t batch = z.size(0);
  const std::int64_t numbers = as_rows(z).size(1);
  std::vector<std::int64_t> times(z.dim(), 1);
  times[0] = numbers;
  const at::Tensor rows = at::eye(numbers, z.options()).repeat_interleave(batch, 0);
  const at::Tensor all_t = t.defined() && t.dim() > 0 ? t.repeat(times) : t;
  const auto [value, product] = vjp([&](const at::Tensor& at) { return field(all_t, at); }, z.repeat(times),
                                    rows.view_as(z.repeat(times)), at::GradMode::is_enabled());
  const auto sum = [&](const at::Tensor& terms) {
    return terms.view({numbers, batch, -1}).sum(at::IntArrayRef{0, 2}).unsqueeze(1);
  };
  const at::Tensor jacobian = as_rows(product);
  return {value.narrow(0, 0, batch), sum(jacobian * rows), sum(jacobian.square())};
}

Slope estimated(const FieldModule& field, const at::Tensor& t, const at::Tensor& z, const at::Tensor& noise) {
  const auto [value, product] =
      vjp([&](const at::Tensor& at) { return field(t, at); }, z, noise, at::GradMode::is_enabled());
  return {value, as_rows(product * noise).sum(1, true), as_rows(product.square()).sum(1, true)};
}

}  // namespace

void ContinuousFlowImpl::register_parts() {
  TORCH_CHECK(options.end_time > 0.0, "end_time: expected a number > 0, got ", options.end_time);
  TORCH_CHECK(!shape_.empty(), "shape: expected that of a sample, got none");
  register_module("field", field_.module());
  if (options.learns_end_time)
    sqrt_end_time_ = register_parameter("sqrt_end_time", at::full({1}, std::sqrt(options.end_time)));
}

// Called on a copy that still shares the parts of its original.
void ContinuousFlowImpl::reset() {
  field_ = field_.cloned();
  register_module("field", field_.module());
  if (options.learns_end_time)
    sqrt_end_time_ = register_parameter("sqrt_end_time", sqrt_end_time_.detach().clone());
}

void ContinuousFlowImpl::check(const char* name, const at::Tensor& samples) const {
  TORCH_CHECK(samples.defined() && samples.dim() > 0 && samples.sizes().slice(1) == at::IntArrayRef(shape_),
              name, ": expected samples of shape ", at::IntArrayRef(shape_), " after the batch, got ",
              samples.defined() ? c10::str(samples.sizes()) : "an undefined tensor");
}

void ContinuousFlowImpl::keep(ode::Stats stats) {
  const std::lock_guard<std::mutex> lock(stillpoint::detail::report_lock);
  stats_ = std::move(stats);
}

at::Tensor ContinuousFlowImpl::end_time() const {
  if (!options.learns_end_time) return at::full({1}, options.end_time, at::kDouble);
  return sqrt_end_time_.to(at::kDouble).square();
}

Flow ContinuousFlowImpl::to_base(const at::Tensor& x) {
  check("x", x);
  const at::Tensor end = end_time();
  const bool penalties = options.penalties;
  at::Tensor noise;
  if (options.trace == Trace::Hutchinson) noise = 2 * at::bernoulli(at::full_like(x.detach(), 0.5)) - 1;
  // By value: the backward pass may call it when this module is gone.
  ode::TupleVectorField f([field = field_, noise, penalties](const at::Tensor& t, const List& state) {
    const at::Tensor& z = state[0];
    const Slope slope = noise.defined() ? estimated(field, t, z, noise) : exact(field, t, z);
    List slopes{slope.f, slope.trace};
    if (penalties) {
      slopes.push_back(as_rows(slope.f.square()).mean(1, true));
      slopes.push_back(slope.square / as_rows(z).size(1));
    }
    return slopes;
  });
  f.takes_time = field_.takes_time();
  const at::Tensor zero = at::zeros({x.size(0), 1}, x.options().requires_grad(false));
  List start{x, zero};
  if (penalties) start.insert(start.end(), {zero, zero});
  ode::Solution<List> solution = odeint(f, start, at::cat({at::zeros_like(end), end}), options.solve);
  keep(std::move(solution.stats));
  const auto number = [&](std::size_t i) { return solution.value[i].select(1, 1).squeeze(1); };
  Flow flow{.z = solution.value[0].select(1, 1), .log_det = number(1), .kinetic = {}, .jacobian = {}};
  if (penalties) {
    flow.kinetic = number(2);
    flow.jacobian = number(3);
  }
  return flow;
}

at::Tensor ContinuousFlowImpl::log_prob(const at::Tensor& x) { return log_prob(to_base(x)); }

at::Tensor ContinuousFlowImpl::log_prob(const Flow& flow) {
  const at::Tensor z = as_rows(flow.z);
  const double constant = 0.5 * std::log(2 * std::numbers::pi) * static_cast<double>(z.size(1));
  return flow.log_det - 0.5 * z.square().sum(1) - constant;
}

at::Tensor ContinuousFlowImpl::trajectory(const at::Tensor& start, const ode::Times& t) {
  check("start", start);
  ode::VectorField f(field_);
  f.takes_time = field_.takes_time();
  ode::Solution<at::Tensor> solution = odeint(f, start, t, options.solve);
  keep(std::move(solution.stats));
  return solution.value;
}

at::Tensor ContinuousFlowImpl::from_base(const at::Tensor& z) {
  const at::Tensor end = end_time();
  return trajectory(z, at::cat({end, at::zeros_like(end)})).select(1, 1);
}

at::Tensor ContinuousFlowImpl::sample(std::int64_t count) {
  TORCH_CHECK(count >= 0, "count: expected a number ≥ 0, got ", count);
  std::vector<std::int64_t> sizes{count};
  sizes.insert(sizes.end(), shape_.begin(), shape_.end());
  const std::vector<at::Tensor> weights = field_.module()->parameters();
  return from_base(
      at::randn(sizes, weights.empty() ? at::TensorOptions() : weights[0].options().requires_grad(false)));
}

void ContinuousFlowImpl::pretty_print(std::ostream& stream) const {
  stream << "stillpoint::nn::ContinuousFlow("
         << (options.trace == Trace::Exact ? "exact trace" : "estimated trace")
         << ", method=" << options.solve.method.name() << ")";
}

}  // namespace stillpoint::nn
