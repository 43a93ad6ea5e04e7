#include "ode/slope.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <string>

#include "core/check.h"
#include "core/rows/rows.h"

namespace stillpoint::detail {

at::Tensor Slope::call(const at::Tensor& t, const at::Tensor& y,
                       const std::vector<at::Tensor>& inputs) const {
  sample_evaluations_ += y.size(0);
  const bool versioned = !y.is_inference();
  const std::int64_t version = versioned ? y.unsafeGetTensorImpl()->version_counter().current_version() : 0;
  at::Tensor slope;
  try {
    slope = field_.divisible ? field_.divisible(t, y, inputs) : field_.slope(t, y);
  } catch (c10::Error& error) {
    error.add_context(c10::str("thrown by f at a state of shape ", y.sizes(), ", ", y.scalar_type(), ", on ",
                               y.device(),
                               t.defined() ? c10::str(", and a time of shape ", t.sizes()) : std::string()));
    throw;
  }
  check_like("f", slope, y);
  check_no_transform("f", slope);
  TORCH_CHECK(!versioned || y.unsafeGetTensorImpl()->version_counter().current_version() == version,
              "f: expected it to leave y as it is, but it edited it in place; clone it first");
  return slope;
}

at::Tensor Slope::operator()(const at::Tensor& t, const at::Tensor& y) const {
  ++evaluations_;
  if (!index_.defined()) {
    const at::Tensor slope = call(t, y, inputs_);
    return slope.is_contiguous() ? slope : slope.contiguous();
  }
  const at::Tensor index = index_.to(y.device());
  const at::Tensor own_t = !t.defined() || t.dim() == 0 ? t : t.index_select(0, index);
  const at::Tensor some = call(own_t, y.index_select(0, index), inputs_);
  if (!checked_) check_independence(t, y, some);
  return at::zeros_like(y).index_copy(0, index, some);
}

void Slope::keep(const Mask& running) {
  if (!field_.divisible) return;
  const std::int64_t count = running.count();
  const std::int64_t evaluated =
      index_.defined() ? index_.size(0) : static_cast<std::int64_t>(running.size());
  if (count == 0 || 4 * count > 3 * evaluated) return;
  std::vector<std::int64_t> rows;
  for (std::size_t b = 0; b < running.size(); ++b) {
    if (running[b]) rows.push_back(static_cast<std::int64_t>(b));
  }
  index_ = at::tensor(rows, at::kLong);
  inputs_.clear();
  for (const at::Tensor& input : field_.inputs)
    inputs_.push_back(input.index_select(0, index_.to(input.device())));
}

void Slope::check_independence(const at::Tensor& t, const at::Tensor& y, const at::Tensor& some) const {
  checked_ = true;
  const at::NoGradGuard no_grad;
  const double difference =
      disagreement(some, call(t, y, field_.inputs).index_select(0, index_.to(y.device())));
  TORCH_CHECK(
      difference == 0.0,
      "f: expected samples that do not depend on each other, but without the finished ones the others "
      "change by ",
      difference, "; let f capture its inputs instead of passing them, and nothing is left out");
}

}  // namespace stillpoint::detail
