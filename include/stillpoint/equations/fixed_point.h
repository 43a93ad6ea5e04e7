#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "stillpoint/core/condition.h"
#include "stillpoint/core/observer.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"
#include "stillpoint/equations/gradient.h"
#include "stillpoint/equations/gradients/implicit_gradient.h"
#include "stillpoint/equations/solvers/anderson.h"

namespace stillpoint {

/// Options of `fixed_point`. The defaults suit most maps.
struct FixedPointOptions {
  FixedPointSolver solver = Anderson{};
  GradientRule gradient = ImplicitGradient{};
  Tolerance tolerance = {};           ///< of f(z) − z, relative to z; default by dtype
  std::int64_t max_iterations = 200;  ///< ≥ 0, in steps from z0
  /// ≥ 0, in steps: a sample is given up as stalled if its best residual has not fallen by one per cent in
  /// this many. 0: never. Empty: half of `max_iterations`, at least 100; or never if the tolerance is zero,
  /// because then all iterations are wanted. (`Auto` has a window of its own, after which it escalates.)
  std::optional<std::int64_t> stall_window = {};
  std::optional<double> time_limit = {};  ///< ≥ 0, in seconds, checked after each step; empty: none
  OnFailure on_failure = OnFailure::Warn;
  Criterion criterion = Criterion::Residual;  ///< what the tolerance is compared with
  Observer observer = {};                     ///< called at each iterate; empty: no observer, no cost
};

/// Finds z with z = f(z) for each sample of a batch, starting at `z0` (`[B, …]`, floating point). The result
/// is differentiable in everything that f captured. Nothing needs to be listed.
///
/// **Result.** It has the shape, dtype and device of z0, and shares no memory with it. For each sample it is
/// the iterate that converged, or else the best one. A sample that fails (with NaN, say) leaves the others as
/// they are, bit for bit. If gradients are off, or f captured nothing that requires one, the result is a
/// constant.
///
/// **Errors.** Not converging is data, in `stats.status`; see `on_failure`. A c10::Error names the argument
/// if z0 is not a floating-point tensor with a batch dimension, if an option is out of range, or if f changes
/// shape, dtype or device or edits its argument in place. Under torch::jit tracing, with forward-mode
/// tangents and in vmap, an error says what to do instead. What f throws passes through; a c10::Error then
/// also says at which argument.
///
/// **Cost.** With the defaults, one evaluation per iteration and one that is recorded. If samples ended at
/// different iterates, there is one more without gradients, to see that they do not disturb each other.
/// Memory does not depend on the iterations.
///
/// **Later calls of f.** If the backward pass creates a graph, f is called again there. What it captured by
/// reference must live until then, and a c10::Error is thrown if f is no longer what it was.
///
/// **Leaving finished samples out.** `fixed_point({f, inputs}, z0)` takes a map `f(z, inputs)` that is given
/// what belongs to each sample as `inputs` (`[B, …]` each) instead of capturing it. Samples that have
/// converged are then left out of the evaluations. In a batch with few slow samples, the cost is that of the
/// slow ones (`stats.sample_evaluations`). The set is narrowed whenever a quarter of it has finished. Results
/// may differ from those of the whole batch in rounding, as matrix products of other sizes do. Further
/// errors: a c10::Error naming f if its samples depend on each other (batch statistics, say), which takes one
/// more evaluation to find out; one naming inputs if a batch dimension differs from that of z0.
Solution<at::Tensor> fixed_point(const Condition& f, const at::Tensor& z0,
                                 const FixedPointOptions& options = {});

/// The same for a state of several tensors, `[B, …]` each with the same B, dtype and device. Norms are taken
/// over all numbers of a sample together. The results are views of one tensor and not always contiguous.
/// Where they carry a gradient, autograd does not allow editing them in place: clone them first.
Solution<std::vector<at::Tensor>> fixed_point(const TupleCondition& f, const std::vector<at::Tensor>& z0,
                                              const FixedPointOptions& options = {});

}  // namespace stillpoint
