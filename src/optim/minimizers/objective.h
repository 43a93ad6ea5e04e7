#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace stillpoint::detail {

using Function = std::function<at::Tensor(const at::Tensor&)>;

/// ∇f for each sample of x, `[B, …]`, of which f makes one number each, `[B]`; zeros where f ignores x. It
/// can be differentiated further if gradients are on.
at::Tensor gradient_of(const Function& f, const at::Tensor& x);

/// The Hessian of each sample, `[B, N, N]`, from ∇f at x, `[B, …]`, recorded; itself recorded. N passes.
at::Tensor hessian_of(const at::Tensor& gradient, const at::Tensor& x);
/// The largest modulus of the Hessian's eigenvalues for each sample of x, a column without a graph, from
/// above by some per cent: power iteration. 1 where it is zero.
at::Tensor largest_curvature(const Function& f, const at::Tensor& x);
/// The values of f at x, `[B]`, without a graph; a c10::Error if they are none.
at::Tensor values_of(const Function& f, const at::Tensor& x);
/// An alias of x that gradients can be asked for, in its place in a graph if it has one.
at::Tensor as_leaf(const at::Tensor& x);

/// Where a minimization stands: one row, value and gradient a sample.
struct DescentPoint {
  at::Tensor x;
  std::vector<double> value;
  at::Tensor gradient;
};

/// What is minimized, as solvers see it. It counts its evaluations.
class CheckedObjective {
 public:
  explicit CheckedObjective(Function f) : f_(std::move(f)) {}

  /// With the value and the gradient at x; one evaluation and its backward pass.
  DescentPoint at(const at::Tensor& x);
  std::int64_t evaluations() const { return evaluations_; }

 private:
  Function f_;
  std::int64_t evaluations_ = 0;
};

}  // namespace stillpoint::detail
