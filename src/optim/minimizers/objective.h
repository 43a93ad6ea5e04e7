#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace stillpoint::detail {

/// ∇f for each sample of x, `[B, …]`, of which f makes one number each, `[B]`; zeros where f ignores x. It
/// can be differentiated further if gradients are on.
at::Tensor gradient_of(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x);

/// Where a minimization stands: one row, value and gradient a sample.
struct DescentPoint {
  at::Tensor x;
  std::vector<double> value;
  at::Tensor gradient;
};

/// What is minimized, as solvers see it. It counts its evaluations.
class CheckedObjective {
 public:
  explicit CheckedObjective(std::function<at::Tensor(const at::Tensor&)> f) : f_(std::move(f)) {}

  /// With the value and the gradient at x; one evaluation and its backward pass.
  DescentPoint at(const at::Tensor& x);
  std::int64_t evaluations() const { return evaluations_; }

 private:
  std::function<at::Tensor(const at::Tensor&)> f_;
  std::int64_t evaluations_ = 0;
};

}  // namespace stillpoint::detail
