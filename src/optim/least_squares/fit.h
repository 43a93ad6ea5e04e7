#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "optim/least_squares/curvature.h"
#include "optim/least_squares/residual.h"
#include "optim/least_squares/robust.h"
#include "optim/minimizers/bounds.h"
#include "stillpoint/core/deadline.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"
#include "stillpoint/equations/checked_map.h"

namespace stillpoint::detail {

/// What a fit looks at.
struct FitProblem {
  CheckedResidual residual;
  FitCost cost;
  CheckedMap gradient;  ///< ∇F as a root's map
  Bounds bounds;        ///< without a graph
  ResolvedTolerance tolerance;
  std::int64_t max_iterations;
  Deadline deadline;
};

/// Where a fit stands; one row a sample, with the numbers of x in a row. The residuals are weighted by their
/// losses, and in units of each sample's first ones. Unknowns that a bound holds have columns of zeros.
struct FitPoint {
  at::Tensor x;                   ///< [B, N]
  std::vector<double> cost = {};  ///< ½ Σ ρ, not finite where the residuals or their derivatives are not
  at::Tensor triangle = {};       ///< R, [B, N, N], with RᵀR = JᵀJ
  at::Tensor right = {};          ///< Qᵀr, [B, N]
  at::Tensor gradient = {};       ///< Jᵀr, zero where a bound holds x
  at::Tensor free = {};           ///< false where a bound holds x, else true; undefined without bounds
  at::Tensor reached = {};        ///< true where some residual, whatever its weight, depends on x
  at::Tensor size = {};           ///< ‖r‖, [B]
};

/// A fit under way: where each sample stands, which of them go on, and how the others ended. A solver asks
/// whether it `goes_on`, has a step attempted, and takes those that it accepts. Samples that have ended stay
/// where they are.
class Fit {
 public:
  /// From `x0`, contiguous, within the bounds, not empty.
  Fit(FitProblem& problem, const at::Tensor& x0);

  /// Judges the point where the samples stand. One at a saddle is moved down from there. True if some sample
  /// needs another step.
  bool goes_on();

  const FitPoint& point() const { return point_; }
  const Mask& running() const { return running_; }
  /// D: of each column of J the largest norm so far; 1 if it has always been zero.
  const at::Tensor& scale() const { return scale_; }
  /// Radii of first regions in the variables D x: so many times the start.
  std::vector<double> first_radii(double factor) const;
  /// The shortest of the steps of Gauss and Newton, `[B, N]`.
  const at::Tensor& gauss_newton() const { return gauss_newton_; }
  /// y = R d: the model's change of the residuals along a step.
  at::Tensor image(const at::Tensor& d) const;

  /// What a step would gain, over what the model promises; negative if it cannot be taken.
  struct Attempt {
    std::vector<double> gain;
    std::vector<double> length;  ///< of the step that was tried, in scaled variables
  };
  /// The least gain with which a step may be taken.
  static constexpr double kLeastGain = 1e-4;
  /// Evaluates the residual at x + d, within the bounds. Where Newton's step with the exact Hessian is known,
  /// that is tried in place of d.
  Attempt attempt(const at::Tensor& d);
  /// Moves the accepted samples to where the last attempt led, and tells how the others came out.
  void take(const Mask& accepted);

  at::Tensor result() const { return point_.x.view(shape_); }
  void write(Stats& stats) const;

 private:
  // A point whose derivatives are not known yet.
  struct Trial {
    FitPoint point;
    RecordedResidual recorded;
    at::Tensor root_weights;  // undefined: ones
    at::Tensor weighted;
  };

  at::Tensor step_within(const at::Tensor& d) const;
  Trial evaluate(const at::Tensor& x);
  FitPoint with_derivatives(const Trial& trial) const;
  bool may_be_taken(const FitPoint& trial, const std::vector<double>& promised,
                    const std::vector<double>& rounding) const;
  std::vector<double> noise() const;
  std::vector<double> slope_of(const FitPoint& point) const;
  void measure();
  Mask candidates(bool last) const;
  bool judge(const Mask& candidates, bool last);
  void leave(const Mask& saddles, const Verdict& verdict);
  void move_to(const FitPoint& next, const Mask& moved);
  void end(std::size_t b, Status status);

  FitProblem& problem_;
  std::vector<std::int64_t> shape_;
  at::Tensor unit_;  // of the residuals, [B, 1]
  FitPoint point_, trial_;
  at::Tensor scale_, gauss_newton_;
  at::Tensor influenced_;  // unknowns that some residual has depended on so far
  StepSize step_;          // of Gauss and Newton
  at::Tensor newton_;
  Mask running_;
  Mask tries_newton_;     // Newton's step is known, and comes next
  Mask rejected_newton_;  // it did not help here
  Mask stuck_;
  std::vector<Status> status_;
  std::vector<double> length_, allowed_;  // of the latest judgement
  std::vector<std::int64_t> iterations_, rejections_, slow_;
  std::vector<double> slope_mark_;  // a slope, to be halved
  std::int64_t steps_ = 0;
};

}  // namespace stillpoint::detail
