#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "descent/wolfe_search.h"
#include "optim/minimizers/bounds.h"
#include "optim/minimizers/objective.h"
#include "stillpoint/core/deadline.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/core/observer.h"
#include "stillpoint/core/row_norms.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/stop_test.h"
#include "stillpoint/equations/checked_map.h"

namespace stillpoint::detail {

/// The functions that a descent looks at.
struct DescentProblem {
  CheckedObjective objective;
  CheckedMap gradient;   ///< ∇f as a root's map
  CheckedMap condition;  ///< what has to vanish at the minimum
  Bounds bounds;         ///< without a graph
  Mask& running;         ///< of the descent, for functions that leave finished samples out
};

/// The direction of a step as a function of where it begins and of the gradient there, with its decisions.
using DirectionAt = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& gradient)>;

/// A step that was taken, to be taken again: from x and the gradient there to the next x.
struct DescentStep {
  DirectionAt again;
  Mask moved;
};
using DescentTrail = std::vector<DescentStep>;

/// A minimization under way: where each sample stands, which of them go on, and how the others ended. A
/// minimizer asks whether it `goes_on`, proposes a direction, and has it taken by `advance`. Samples that
/// have ended stay where they are.
class Descent {
 public:
  /// From `x0`, contiguous, within the bounds.
  Descent(DescentProblem& problem, const at::Tensor& x0, StopTest test, std::int64_t max_iterations);

  /// Judges the point where the samples stand. A sample at a saddle is moved down from there. True if some
  /// sample needs another step.
  bool goes_on();
  /// Lets values rise as long as they fall below the highest of the latest `memory` ones. (Grippo,
  /// Lampariello, Lucidi 1986, SIAM Journal on Numerical Analysis 23.)
  void let_rise(std::size_t memory) { rises_within_ = memory; }
  /// Has steps searched until the slope is this part of what it was; 0.9 by default.
  void search_until_level(double level) { level_ = level; }
  /// Looks for saddles in samples of any width, not only in narrow ones.
  void look_for_saddles() { always_looks_ = true; }
  void observe(Observer observer) { observer_ = std::move(observer); }
  void stop_at(Deadline deadline) { deadline_ = deadline; }
  /// Has the steps of `advance` written to `trail`, which may be null, with bounds that have their graph.
  void keep_steps(DescentTrail* trail, const Bounds& bounds) {
    trail_ = trail;
    trail_bounds_ = bounds;
  }
  bool keeps_steps() const { return trail_ != nullptr; }

  bool is_bounded() const { return problem_.bounds.any(); }
  const DescentPoint& point() const { return point_; }
  const Mask& running() const { return running_; }
  /// The samples that start anew: what was learnt on their way here is of no use. All, at first.
  const Mask& renewed() const { return renewed_; }
  /// The gradient, zero where a bound holds x.
  at::Tensor free_gradient() const;
  /// Where a bound holds x, 0, else 1, in the dtype of x.
  at::Tensor freedom() const;
  /// The Hessian of each sample, `[B, N, N]`; zero in the rows and columns that a bound holds.
  at::Tensor hessian() const;
  /// v ↦ that Hessian times v, by a recorded gradient. Valid while this object lives.
  Map hessian_product() const;
  /// The length of steepest descent to where a quadratic model with the curvature along it is least, or, of a
  /// concave one, as far; a column. One recorded gradient and a product.
  at::Tensor cauchy_length() const;

  /// Moves the running samples along `direction`, or down the gradient where that does not descend, by a line
  /// search that begins with the whole of it. `again` is that direction as a function, where steps are kept.
  void advance(const at::Tensor& direction, const DirectionAt& again = {});

  /// Where `step` leads within the bounds.
  DescentPoint at(const at::Tensor& step) const;
  /// What values differ by although they are equal.
  std::vector<double> rounding() const;
  /// Ends a step that another search judged: the `accepted` samples move to `trial`; those that
  /// are `hopeless` have stalled; those that are `unbounded` fall for ever.
  void take(DescentPoint trial, const Mask& accepted, const Mask& hopeless, const Mask& unbounded);

  /// Where the samples have come to.
  const at::Tensor& result() const { return point_.x; }
  void write(Stats& stats) const;

 private:
  struct Escape {
    at::Tensor direction;
    std::vector<double> curvature;
  };

  /// Samples that go down the gradient, by so much of it.
  struct Fallback {
    Mask chosen;
    at::Tensor length;  // a column; undefined if there are none
  };

  static Escape negative_curvature(const at::Tensor& hessian, const at::Tensor& gradient);
  Fallback fallback(const at::Tensor& direction) const;
  std::vector<WolfeSearch::Start> search_start(const std::vector<double>& slope) const;
  void end(std::size_t b, Status status);
  void follow(bool now);
  void show() const;
  void keep_step(const DirectionAt& again, const Fallback& down, const at::Tensor& length, const Mask& moved);
  void keep_shift(const at::Tensor& shift, const Mask& moved);
  void leave(const Mask& saddles, const Escape& escape);
  void move_to(DescentPoint next, const Mask& moved);

  DescentProblem& problem_;
  StopTest test_;
  std::int64_t max_iterations_;
  bool always_looks_ = false;
  Observer observer_;
  Deadline deadline_;
  DescentTrail* trail_ = nullptr;
  Bounds trail_bounds_;
  DescentPoint point_;
  std::size_t rises_within_ = 0;
  double level_ = 0.9;
  std::deque<std::vector<double>> latest_values_;
  std::vector<double> first_value_;  // whose rounding counts, too
  RowNorms norms_;                   // of the residual and of x, at the point
  Mask& running_;
  Mask renewed_;
  Mask retries_;  // the last search found nothing: down the gradient, then
  Mask stuck_;    // nor did that
  std::vector<Status> status_;
  std::vector<double> allowed_;
  std::vector<std::int64_t> iterations_;
  std::vector<std::int64_t> drowned_;  // steps in a row whose change was rounding
  std::int64_t steps_ = 0;
  bool late_ = false;  // the deadline has passed
};

}  // namespace stillpoint::detail
