#include "optim/minimizers/secant_pairs.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <vector>

#include "core/dtype.h"
#include "core/rows/rows.h"

namespace stillpoint::detail {

void SecantPairs::renew(const Mask& marked, const at::Tensor& length) {
  scale_ = scale_.defined() ? select_rows(marked, length, scale_) : length;
  for (Pair& pair : pairs_) pair.weight = select_rows(marked, at::zeros_like(pair.weight), pair.weight);
}

at::Tensor SecantPairs::times(const at::Tensor& gradient) const {
  at::Tensor q = gradient;
  std::vector<at::Tensor> parts(pairs_.size());
  for (std::size_t i = pairs_.size(); i-- > 0;) {
    parts[i] = pairs_[i].weight * row_dot(pairs_[i].step, q);
    q = q - parts[i] * pairs_[i].change;
  }
  q = scale_ * q;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    q = q + (parts[i] - pairs_[i].weight * row_dot(pairs_[i].change, q)) * pairs_[i].step;
  }
  return q;
}

void SecantPairs::learn(const at::Tensor& step, const at::Tensor& change) {
  const at::Tensor along = row_dot(step, change);
  const at::Tensor size = row_dot(change, change);
  const double least = machine_epsilon(step.scalar_type());
  const at::Tensor curves = along > least * (row_dot(step, step) * size).sqrt();
  const at::Tensor weight = at::where(curves, along.reciprocal(), at::zeros_like(along));
  scale_ = at::where(curves, along / size, scale_);
  pairs_.push_back({step, change, weight});
  if (static_cast<std::int64_t>(pairs_.size()) > memory_) pairs_.pop_front();
}

}  // namespace stillpoint::detail
