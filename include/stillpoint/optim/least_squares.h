#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "stillpoint/core/map.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"
#include "stillpoint/equations/gradients/implicit_gradient.h"
#include "stillpoint/linear/solvers/dense_lu.h"
#include "stillpoint/optim/least_squares_solver.h"
#include "stillpoint/optim/least_squares_solvers/levenberg_marquardt.h"
#include "stillpoint/optim/robust_loss.h"

namespace stillpoint {
namespace optim {

/// The matrix by which a solution of `least_squares` is differentiated.
enum class Hessian : std::uint8_t {
  Exact,  ///< that of the cost
  /// JᵀJ, with ρ″ where there is a loss: the residual is taken as linear in x. It is what many libraries do,
  /// and wrong unless the residuals vanish: by 2.7e-3 of the derivative on Misra1a and by 2.4e-2 on MGH17
  /// (NIST's regression data). A backward pass takes N products, too, but of first order. First derivatives
  /// only: a second one throws.
  GaussNewton,
};

}  // namespace optim

/// The residuals: from a batch of samples `[B, …]` to some numbers for each, `[B, M…]`. As for a `Map`, it is
/// deterministic, samples do not depend on each other, and a backward pass may call it again. It is made
/// implicitly from a function of x, or from `{f, inputs}`.
struct Residual {
  template <class F>
  requires(std::is_invocable_r_v<at::Tensor, F&, const at::Tensor&>)
      Residual(F f)  // NOLINT(google-explicit-constructor): residuals are written as their function
      : map(std::move(f)) {}
  /// f(x, inputs), with inputs `[B, …]`, so that it can be evaluated for some of the samples.
  Residual(MapWithInputs f, std::vector<at::Tensor> f_inputs);

  std::function<at::Tensor(const at::Tensor& x)> map;
  MapWithInputs divisible = {};  ///< the function that takes inputs; empty if there are none
  std::vector<at::Tensor> inputs = {};
};
/// The same for unknowns of several tensors, `[B, …]` each with the same B.
using ListResidual = std::function<at::Tensor(const std::vector<at::Tensor>& x)>;

/// Options of `least_squares`.
struct LeastSquaresOptions {
  LeastSquaresSolver solver = optim::LevenbergMarquardt{};
  RobustLoss loss = optim::Squared{};  ///< ρ; see optim/robust_loss.h
  /// ≥ 1: so many residuals in a row share one ρ, of the sum of their squares, such as the two coordinates of
  /// a point. It has to divide their number.
  std::int64_t block = 1;
  Tolerance tolerance = {};               ///< of x, see `least_squares`; default by dtype
  std::int64_t max_iterations = 1000;     ///< ≥ 0, in steps tried
  std::optional<double> time_limit = {};  ///< ≥ 0, in seconds, checked after each step; empty: none
  /// Bounds that broadcast against x0; undefined: none. For a list: against `[B, N]`, the numbers of all its
  /// tensors one after another.
  at::Tensor lower = {};
  at::Tensor upper = {};
  optim::Hessian hessian = optim::Hessian::Exact;  ///< of derivatives
  /// The backward solve. Its system has the unknowns scaled, so that their units do not matter.
  ImplicitGradient gradient = {.linear_solver = DenseLu{}};
  OnFailure on_failure = OnFailure::Warn;  ///< of the solve and of backward solves
};

/// Finds for each sample of a batch a local minimum of ½ Σ ρ(r²), where r = residual(x), starting at `x0`
/// (`[B, …]`, float or double), with lower ≤ x ≤ upper if there are bounds. ρ(s) = s unless a robust loss is
/// chosen. The residual has to be differentiable twice, in tensors. The result is differentiable to any order
/// in everything that the residual captured, such as data or weights, and in the bounds.
///
/// **When a sample is solved.** Newton's step with the exact Hessian has to be short: |dxᵢ| ≤ absolute +
/// relative · ‖S x‖ / Sᵢ in the norm of the tolerance, where Sᵢ says how much the residuals depend on xᵢ: the
/// norm of its column of the Jacobian, or the root of the Hessian's diagonal if that is larger. So the test
/// depends neither on the unit of r nor on that of any xᵢ. It is taken where the step of Gauss and Newton is
/// as short, which alone would pass too early where residuals are large. A point with a direction of negative
/// curvature is no minimum: it is left, downwards, also if it is the start. Where the step of Newton is known
/// and the model of Gauss and Newton gets on slowly, it is tried as the next step.
///
/// **Status**, per sample: `Converged`; `MaxIterations`; `TimeLimit`; `NonFinite`, where the residual or its
/// Jacobian is not finite at x0; `Stalled`, where no step lowers the cost although the tolerance is not met,
/// mostly because the residuals are rounded, or where an unknown has gone so far that no residual depends on
/// it any more. A trial that is not finite is only a step too long. x is the last iterate. A finished sample
/// is not moved any more, whatever the others do.
///
/// **Bounds** are kept by projection at every iterate: unknowns that a bound holds are left out of the model,
/// and steps are cut at the bounds.
///
/// **Robust losses.** The model is that of weighted least squares, with weights ρ′ at the iterate; its
/// gradient is exact, and it lies above the cost of the linearized residuals where ρ is concave. Test and
/// derivatives are those of the cost itself.
///
/// **Gradient.** dx = −(∂²F)⁻¹ d(∇F) for the cost F, with bounds by the residual x − clamp(x − ∇F); see
/// `minimize`. The Hessian has to be regular at the minimum; else the backward pass reports itself as
/// inaccurate. No gradient flows to x0. `hessian` replaces ∂²F by what many libraries take.
///
/// **Leaving finished samples out.** `least_squares({f, inputs}, x0)` takes a residual `f(x, inputs)` that is
/// given what belongs to each sample as `inputs` (`[B, …]` each) instead of capturing it. Whenever a quarter
/// of the samples have finished, these are left out of its evaluations and Jacobians, but not of the test.
/// Results may differ from those of the whole batch in rounding.
///
/// **Errors.** A c10::Error if the residual is empty or returns another batch, dtype or device, if x0 is no
/// batch or in half precision, if `block` does not divide the number of residuals, if samples of one with
/// inputs depend on each other, if bounds do not fit x0 or cross, or if an option is out of range. **Cost.**
/// That of the solver, which see: it writes out the Jacobian, `[B, M, N]`, by M products or N forward ones,
/// whichever are cheaper. The test takes N products of second order, mostly once or twice in a solve, and an
/// eigenvalue decomposition. For thousands of unknowns choose `minimize`.
Solution<at::Tensor> least_squares(const Residual& residual, const at::Tensor& x0,
                                   const LeastSquaresOptions& options = {});

/// The same for unknowns of several tensors.
Solution<std::vector<at::Tensor>> least_squares(const ListResidual& residual,
                                                const std::vector<at::Tensor>& x0,
                                                const LeastSquaresOptions& options = {});

}  // namespace stillpoint
