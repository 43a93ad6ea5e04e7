#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace stillpoint::ode {

/// How an implicit method solves for its stages: by Newton's method with a matrix for each sample, which is
/// factorized once and serves for several stages and steps. It is made anew where iterations slow down, and
/// factorized anew where the step has changed by more than a fifth. A step whose stages are not found is
/// rejected. (Hairer, Wanner, "Solving Ordinary Differential Equations II", IV.8.)
struct Newton {
  /// ∂f/∂y, `[B, N, N]`, for a state of N numbers a sample. `t` and y are as f gets them; of a list of
  /// tensors y is `[B, N]`, and of a complex state the matrix is that of its real and imaginary parts in
  /// turn, N of them. A wrong matrix costs steps, and no exactness. Empty: found by reverse mode, at N
  /// products.
  std::function<at::Tensor(const at::Tensor& t, const at::Tensor& y)> jacobian = {};
  /// In (0, 1): what a stage may be wrong by, in units of the tolerance of a step. Where steps are constant,
  /// or gradients are on, stages are solved to rounding instead: then the solution is that of the method.
  double accuracy = 0.01;
  std::int64_t max_iterations = 10;  ///< ≥ 1, with one matrix
};

}  // namespace stillpoint::ode
