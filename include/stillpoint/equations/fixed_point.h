#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "stillpoint/core/map.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"
#include "stillpoint/equations/gradient.h"
#include "stillpoint/equations/gradients/implicit_gradient.h"
#include "stillpoint/equations/solvers/anderson.h"

namespace stillpoint {

struct FixedPointOptions {
  FixedPointSolver solver = Anderson{};
  GradientRule gradient = ImplicitGradient{};
  Tolerance tolerance = {};           ///< of f(z) − z, relative to z; defaults by dtype
  std::int64_t max_iterations = 200;  ///< ≥ 0, in steps from z0
  /// ≥ 0, in steps: a sample whose best residual has not fallen by one per cent in so many is given up as
  /// stalled. 0: never. Empty: half of `max_iterations`, at least 100; or never if the tolerance is zero,
  /// when all iterations are wanted. (`Auto` has a window of its own, after which it escalates.)
  std::optional<std::int64_t> stall_window = {};
  std::optional<double> time_limit = {};  ///< ≥ 0, in seconds, looked at after each step; empty: none
  OnFailure on_failure = OnFailure::Warn;
  Criterion criterion = Criterion::Residual;  ///< what the tolerance is compared with
  Observer observer = {};                     ///< called at each iterate; empty: nobody, at no cost
};

/// Finds z with z = f(z) for each sample of a batch, starting at `z0` (`[B, …]`, floating point), and
/// attaches its derivatives with respect to everything that f captured. Nothing needs to be listed.
///
/// What comes back has the shape, dtype and device of z0, and is for each sample the iterate that converged,
/// or else its best. A sample that fails (NaN, say) leaves the others as they are, bit by bit. If gradients
/// are off, or f captured nothing that requires one, it is a constant.
///
/// Errors: a c10::Error naming the argument if z0 is not a floating-point tensor with a batch dimension, if
/// an option is out of range, or if f changes shape, dtype or device or edits its argument in place; and one
/// that says what to do instead under torch::jit tracing, with forward-mode tangents, and in vmap. What f
/// throws passes through; a c10::Error says, too, at what it was thrown. Not converging is data, in
/// `stats.status`; see `on_failure`.
///
/// Cost: with the defaults one evaluation an iteration, one recorded, and one without gradients if samples
/// ended apart, to see that they do not disturb each other; memory does not depend on the iterations. If the
/// backward pass creates a graph, f is called again there: what it captured by reference must live till then,
/// and a c10::Error is thrown if f is no longer what it was. What comes back shares no memory with z0.
Solution<at::Tensor> fixed_point(const Map& f, const at::Tensor& z0, const FixedPointOptions& options = {});

/// The same for a map that takes what belongs to each sample as `inputs` (`[B, …]` each) instead of capturing
/// it. Samples that have converged are then left out of the evaluations: in a batch where few are slow, the
/// cost is that of the slow ones (`stats.sample_evaluations`). The set is narrowed when a quarter of it has
/// finished. Results may differ in rounding from those of the whole batch, as matrix products of other sizes
/// do.
///
/// Errors, too: a c10::Error naming f if its samples depend on each other (batch statistics, say), which
/// costs one evaluation more to find out; one naming inputs if a batch dimension differs from that of z0.
Solution<at::Tensor> fixed_point(const MapWithInputs& f, const std::vector<at::Tensor>& inputs,
                                 const at::Tensor& z0, const FixedPointOptions& options = {});

/// The same for a state of several tensors, `[B, …]` each with the same B, dtype and device. Norms are taken
/// over all numbers of a sample together. What comes back are views of one tensor, not always contiguous,
/// which autograd does not let be edited in place where they carry a gradient: clone them first.
Solution<std::vector<at::Tensor>> fixed_point(const TupleMap& f, const std::vector<at::Tensor>& z0,
                                              const FixedPointOptions& options = {});

/// Both: a state of several tensors, with finished samples left out.
Solution<std::vector<at::Tensor>> fixed_point(const TupleMapWithInputs& f,
                                              const std::vector<at::Tensor>& inputs,
                                              const std::vector<at::Tensor>& z0,
                                              const FixedPointOptions& options = {});

}  // namespace stillpoint
