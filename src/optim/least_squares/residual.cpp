#include "optim/least_squares/residual.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <utility>
#include <vector>

#include "core/check.h"
#include "core/rows/rows.h"

namespace stillpoint {

Residual::Residual(MapWithInputs f, std::vector<at::Tensor> f_inputs)
    : divisible(std::move(f)), inputs(std::move(f_inputs)) {
  if (divisible == nullptr) return;
  map = [f = divisible, inputs = inputs](const at::Tensor& x) { return f(x, inputs); };
}

namespace detail {
namespace {

using ResidualMap = std::function<at::Tensor(const at::Tensor&)>;

at::Tensor checked_value(const ResidualMap& f, const at::Tensor& x) {
  const bool versioned = !x.is_inference();
  const auto version = versioned ? x._version() : 0;
  at::Tensor r = f(x);
  TORCH_CHECK(r.defined(), "residual: expected a tensor [B, M…], got an undefined one");
  TORCH_CHECK(r.dim() > 0 && r.size(0) == x.size(0), "residual: expected some numbers for each of ",
              x.size(0), " samples, [B, M…], got shape ", r.sizes());
  TORCH_CHECK(r.scalar_type() == x.scalar_type() && r.device() == x.device(), "residual: expected ",
              x.scalar_type(), " on ", x.device(), " as x0, got ", r.scalar_type(), " on ", r.device());
  check_no_transform("residual", r);
  TORCH_CHECK(!versioned || x._version() == version,
              "residual: expected it to leave its argument as it is, but it edited it in place; clone it "
              "first");
  return r.is_contiguous() ? r : r.contiguous();
}

ResidualMap with_checks(ResidualMap f) {
  return [f = std::move(f)](const at::Tensor& x) { return checked_value(f, x); };
}

}  // namespace

ResidualMap checked_residual(const Residual& residual) { return with_checks(residual.map); }

RecordedResidual::RecordedResidual(Tape tape, const at::Tensor& x, at::Tensor index, std::int64_t batch,
                                   std::int64_t& products)
    : tape_(std::move(tape)),
      x_(x),
      value_(tape_.value().reshape({x.size(0), tape_.value().numel() / x.size(0)})),
      index_(std::move(index)),
      batch_(batch),
      products_(&products) {}

at::Tensor RecordedResidual::scattered(const at::Tensor& some) const {
  if (!index_.defined()) return some;
  std::vector<std::int64_t> shape = some.sizes().vec();
  shape[0] = batch_;
  return at::zeros(shape, some.options()).index_copy_(0, index_, some);
}

at::Tensor RecordedResidual::jacobian() const {
  return scattered(2 * x_.numel() < value_.numel() ? by_columns() : by_rows());
}

at::Tensor RecordedResidual::by_rows() const {
  const std::int64_t batch = value_.size(0);
  const std::int64_t count = value_.size(1);
  at::Tensor rows = at::empty({count, batch, x_.numel() / batch}, x_.options());
  at::Tensor unit = at::zeros_like(value_);
  for (std::int64_t j = 0; j < count; ++j) {
    unit.select(1, j).fill_(1);
    rows.select(0, j).copy_(tape_.vjp(unit.view(tape_.value().sizes())).reshape({batch, -1}));
    unit.select(1, j).zero_();
  }
  *products_ += count;
  return rows.transpose(0, 1);
}

// u ↦ Jᵀu is linear, and its own products are J v.
at::Tensor RecordedResidual::by_columns() const {
  const std::int64_t batch = value_.size(0);
  const std::int64_t width = x_.numel() / batch;
  const Tape tangent([this](const at::Tensor& u) { return tape_.vjp(u, /*create_graph=*/true); },
                     at::zeros_like(tape_.value()));
  at::Tensor columns = at::empty({width, batch, value_.size(1)}, x_.options());
  at::Tensor unit = at::zeros({batch, width}, x_.options());
  for (std::int64_t i = 0; i < width; ++i) {
    unit.select(1, i).fill_(1);
    columns.select(0, i).copy_(tangent.vjp(unit.view(x_.sizes())).reshape({batch, -1}));
    unit.select(1, i).zero_();
  }
  *products_ += width + 1;
  return columns.permute({1, 2, 0});
}

RecordedResidual CheckedResidual::record(const at::Tensor& x, const Mask& running) {
  ++evaluations_;
  const bool was_whole = !index_.defined();
  if (residual_.divisible != nullptr) narrow(x, running);
  if (!index_.defined()) {
    sample_evaluations_ += x.size(0);
    return {Tape(with_checks(residual_.map), x), x, {}, x.size(0), jacobian_products_};
  }
  const at::Tensor some = x.index_select(0, index_);
  sample_evaluations_ += some.size(0);
  const auto f = [&](const at::Tensor& z) { return residual_.divisible(z, inputs_); };
  Tape tape(with_checks(f), some);
  if (was_whole) check_independence(x, tape.value());
  return {std::move(tape), some, index_, x.size(0), jacobian_products_};
}

void CheckedResidual::narrow(const at::Tensor& x, const Mask& running) {
  const std::int64_t evaluated = index_.defined() ? index_.size(0) : x.size(0);
  if (!running.any() || 4 * running.count() > 3 * evaluated) return;
  std::vector<std::int64_t> rows;
  for (std::size_t b = 0; b < running.size(); ++b) {
    if (running[b]) rows.push_back(static_cast<std::int64_t>(b));
  }
  index_ = at::tensor(rows, at::kLong).to(x.device());
  inputs_.clear();
  for (const at::Tensor& input : residual_.inputs) inputs_.push_back(input.detach().index_select(0, index_));
}

void CheckedResidual::check_independence(const at::Tensor& x, const at::Tensor& some) const {
  const at::NoGradGuard no_grad;
  const double difference = disagreement(some, residual_.map(x).index_select(0, index_));
  TORCH_CHECK(
      difference == 0.0,
      "residual: expected one whose samples do not depend on each other, but without the finished ones "
      "the others change by ",
      difference, "; let it capture its inputs instead of passing them, and nothing is left out");
}

}  // namespace detail
}  // namespace stillpoint
