#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/function.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "ode/problem.h"
#include "stillpoint/autograd/tape.h"
#include "stillpoint/ode/options.h"
#include "stillpoint/ode/solution.h"

namespace stillpoint::detail {

/// What a continuous adjoint is solved for, flat: K columns of N numbers a sample.
struct AdjointProblem {
  ode::Frozen frozen;     ///< its y0 and values are not defined
  OdeintOptions options;  ///< of the backward solve
  bool reconstructs;      ///< y is solved for beside the adjoint
  at::Tensor y0;          ///< `[B, …]`
  at::Tensor values;      ///< `[B, K, …]`
  at::Tensor times;       ///< `[K]` or `[B, K]`, in double
  at::Tensor gradient;    ///< of the values
};

/// What came of it. `sums` are gradients of what an edge list leads to, after y0.
struct AdjointResult {
  at::Tensor y0;
  at::Tensor times;  ///< like the times, undefined if they need none
  torch::autograd::variable_list sums;
  ode::Stats stats;
};

/// Adds gradients of what a tape captured to sums, one an edge. `time` is what f got, whose edge does not
/// count.
using AddCaptured = std::function<void(const Tape& tape, const torch::autograd::variable_list& gradients,
                                       const at::Tensor& time, torch::autograd::variable_list& sums)>;

/// Solves the adjoint from the last time to the first. Differentiable in all of it if gradients are on.
AdjointResult solve_adjoint(const AdjointProblem& problem, std::size_t edges, const AddCaptured& add);

}  // namespace stillpoint::detail
