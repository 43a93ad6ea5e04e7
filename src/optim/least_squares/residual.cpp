#include "optim/least_squares/residual.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <utility>
#include <vector>

#include "core/check.h"

namespace stillpoint::detail {
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

}  // namespace

ResidualMap checked_residual(ResidualMap f) {
  return [f = std::move(f)](const at::Tensor& x) { return checked_value(f, x); };
}

RecordedResidual::RecordedResidual(Tape tape, const at::Tensor& x, std::int64_t& products)
    : tape_(std::move(tape)),
      x_(x),
      value_(tape_.value().reshape({x.size(0), tape_.value().numel() / x.size(0)})),
      products_(&products) {}

at::Tensor RecordedResidual::jacobian() const {
  return 2 * x_.numel() < value_.numel() ? by_columns() : by_rows();
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

RecordedResidual CheckedResidual::record(const at::Tensor& x) {
  ++evaluations_;
  return {Tape(checked_residual(f_), x), x, jacobian_products_};
}

}  // namespace stillpoint::detail
