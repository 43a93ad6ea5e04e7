#include "core/live_rows.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>

#include "core/rows/rows.h"

namespace stillpoint::detail {

at::Tensor LiveRows::operator()(const at::Tensor& z) {
  at::Tensor some = evaluate(z);
  if (!index_.defined()) return some;
  // A residual of zero whose Jacobian is that of a constant map, so that no system becomes singular by it.
  const at::Tensor rest = condition_.form == Form::FixedPoint ? z.detach() : z.detach() - z;
  return rest.index_copy(0, index_, some);
}

at::Tensor LiveRows::values(const at::Tensor& z) {
  at::Tensor some = evaluate(z);
  if (!index_.defined()) return some;
  const at::Tensor rest = 0.5 * (z - z.detach()).square().reshape({z.size(0), -1}).sum(1);
  return rest.index_copy(0, index_, some);
}

// Of the samples in `index_`; of all if that is undefined.
at::Tensor LiveRows::evaluate(const at::Tensor& z) {
  narrow(z);
  if (!index_.defined()) {
    sample_evaluations_ += z.size(0);
    return condition_.divisible(z, condition_.inputs);
  }
  sample_evaluations_ += index_.size(0);
  at::Tensor some = condition_.divisible(z.index_select(0, index_), inputs_);
  if (!checked_) check_independence(z, some);
  return some;
}

void LiveRows::narrow(const at::Tensor& z) {
  const std::int64_t count = running_.count();
  const std::int64_t evaluated = index_.defined() ? index_.size(0) : z.size(0);
  // Samples that were parked can come back.
  bool missing = false;
  for (std::size_t b = 0; index_.defined() && b < running_.size(); ++b)
    missing |= running_[b] > evaluated_[b];
  if (!missing && (count == 0 || 4 * count > 3 * evaluated)) return;
  evaluated_ = running_;
  std::vector<std::int64_t> rows;
  for (std::size_t b = 0; b < running_.size(); ++b) {
    if (running_[b]) rows.push_back(static_cast<std::int64_t>(b));
  }
  index_ = at::tensor(rows, at::kLong).to(z.device());
  inputs_.clear();
  for (const at::Tensor& input : condition_.inputs) inputs_.push_back(input.detach().index_select(0, index_));
}

void LiveRows::check_independence(const at::Tensor& z, const at::Tensor& some) {
  checked_ = true;
  const at::NoGradGuard no_grad;
  const at::Tensor whole = condition_.divisible(z, condition_.inputs).index_select(0, index_);
  sample_evaluations_ += z.size(0);
  const double difference = detail::disagreement(some, whole);
  TORCH_CHECK(difference == 0.0, condition_.name,
              ": expected a map whose samples do not depend on each other, but without the finished ones the "
              "others change by ",
              difference, "; let ", condition_.name,
              " capture its inputs instead of passing them, and nothing is left out");
}

}  // namespace stillpoint::detail
