#include "optim/least_squares/fit.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "descent/line_search.h"
#include "descent/trust_region.h"
#include "linear/batched_solve.h"
#include "linear/vectors.h"
#include "stillpoint/equations/linearization.h"

namespace stillpoint::detail {
namespace {

// Rejections in a row after which no step is to be had; one within the rounding of the cost counts for ten.
constexpr std::int64_t kMostRejections = 40;
// Steps in which the slope has to halve; else Newton's is looked at.
constexpr std::int64_t kSlow = 10;
// Says of a step judged by its slope that it is neither short nor long.
constexpr double kNeutralGain = 0.5;

at::Tensor length_of_rows(const at::Tensor& t) { return t.square().sum(1).sqrt(); }
at::Tensor dot_of_rows(const at::Tensor& a, const at::Tensor& b) { return (a * b).sum(1); }

at::Tensor columns_of(const at::Tensor& triangle) { return triangle.square().sum(1).sqrt(); }

// R and Qᵀr of the factorization of [J r], as `[B, N, N + 1]`; rows of zeros where there are fewer residuals.
at::Tensor factor(const at::Tensor& jacobian, const at::Tensor& residual) {
  const at::Tensor beside = at::cat({jacobian, residual.unsqueeze(2)}, 2);
  const at::Tensor r = std::get<1>(at::linalg_qr(beside, "r"));
  const std::int64_t width = jacobian.size(2);
  const std::int64_t missing = width - r.size(1);
  return missing > 0 ? at::constant_pad_nd(r, {0, 0, 0, missing}) : r.slice(1, 0, width);
}

}  // namespace

Fit::Fit(FitProblem& problem, const at::Tensor& x0)
    : problem_(problem),
      shape_(x0.sizes().vec()),
      running_(x0.size(0), true),
      tries_newton_(x0.size(0)),
      rejected_newton_(x0.size(0)),
      stuck_(x0.size(0)),
      status_(x0.size(0), Status::MaxIterations),
      length_(x0.size(0), 0.0),
      allowed_(x0.size(0), 0.0),
      iterations_(x0.size(0), 0),
      rejections_(x0.size(0), 0),
      slow_(x0.size(0), 0),
      slope_mark_(x0.size(0), std::numeric_limits<double>::infinity()) {
  const at::Tensor flat = x0.view({x0.size(0), row_width(x0)});
  point_ = with_derivatives(evaluate(flat));
  newton_ = at::zeros_like(flat);
  influenced_ = at::zeros_like(flat, at::kBool);
}

Fit::Trial Fit::evaluate(const at::Tensor& x) {
  Trial trial{{.x = x}, problem_.residual.record(x.view(shape_), running_), {}, {}};
  const at::Tensor r = trial.recorded.value();
  const bool squared = problem_.cost.is_squared();
  if (!unit_.defined()) {
    problem_.cost.check(r);
    unit_ =
        squared ? to_column(power_units(row_norms(r, Norm::Maximum)), x) : at::ones_like(x.slice(1, 0, 1));
  }
  if (!squared) trial.root_weights = problem_.cost.weights(r).sqrt();
  trial.weighted = squared ? r / unit_ : trial.root_weights * r;
  const at::Tensor wide = (squared ? trial.weighted : r).to(at::kDouble);
  trial.point.cost = to_host(squared ? 0.5 * wide.square().sum(1) : problem_.cost.value(wide));
  trial.point.size = length_of_rows(trial.weighted);
  return trial;
}

FitPoint Fit::with_derivatives(const Trial& trial) const {
  FitPoint point = trial.point;
  at::Tensor jacobian = trial.recorded.jacobian();
  point.reached = (jacobian != 0).any(1);
  jacobian = trial.root_weights.defined() ? trial.root_weights.unsqueeze(2) * jacobian
                                          : jacobian / unit_.unsqueeze(2);
  point.gradient = at::matmul(trial.weighted.unsqueeze(1), jacobian).squeeze(1);
  if (problem_.bounds.any()) {
    const at::Tensor held =
        problem_.bounds.holds(point.x.view(shape_), point.gradient.view(shape_)).reshape(point.x.sizes());
    jacobian = jacobian.masked_fill(held.unsqueeze(1), 0);
    point.gradient = point.gradient.masked_fill(held, 0);
    point.free = held.logical_not();
  }
  const at::Tensor both = factor(jacobian, trial.weighted);
  const std::int64_t width = point.x.size(1);
  point.triangle = both.slice(2, 0, width);
  point.right = both.select(2, width);
  const std::vector<double> sums = to_host(both.abs().sum({1, 2}) + point.gradient.abs().sum(1));
  for (std::size_t b = 0; b < sums.size(); ++b) {
    if (!std::isfinite(sums[b])) point.cost[b] = std::numeric_limits<double>::quiet_NaN();
  }
  return point;
}

void Fit::end(std::size_t b, Status status) {
  status_[b] = status;
  running_[b] = 0;
}

std::vector<double> Fit::slope_of(const FitPoint& point) const {
  return row_norms((point.gradient / scale_).contiguous(), Norm::Euclidean);
}

// What costs differ by although they are equal: residuals are differences of numbers as large as D x.
std::vector<double> Fit::noise() const {
  std::vector<double> result = row_norms((scale_ * point_.x).contiguous(), Norm::Euclidean);
  const double epsilon = machine_epsilon(point_.x.scalar_type());
  for (std::size_t b = 0; b < result.size(); ++b) {
    const double size = std::sqrt(2.0 * point_.cost[b]);
    result[b] = 4.0 * epsilon * size * (size + result[b]);
  }
  return result;
}

// Brings what is known of the point up to date.
void Fit::measure() {
  const at::Tensor columns = columns_of(point_.triangle);
  scale_ = column_scale(point_.triangle, scale_);
  influenced_ = influenced_.logical_or(point_.reached);
  const at::Tensor unit = at::where(columns > 0, columns, 1);
  const at::Tensor matrix = point_.triangle / unit.unsqueeze(1);
  const at::Tensor right = -point_.right;
  const at::Tensor step = at::linalg_solve_triangular(matrix, right.unsqueeze(2), /*upper=*/true).squeeze(2);
  gauss_newton_ = least_squares_where_singular(matrix, right, step, running_) / unit;
  step_ = step_size(gauss_newton_, point_.x, columns, problem_.tolerance);
  const std::vector<double> slope = slope_of(point_);
  for (std::size_t b = 0; b < slope.size(); ++b) {
    if (!running_[b]) continue;
    length_[b] = step_.length[b];
    allowed_[b] = step_.allowed[b];
    const bool halved = slope[b] <= 0.5 * slope_mark_[b];
    if (halved) slope_mark_[b] = slope[b];
    slow_[b] = halved ? 0 : slow_[b] + 1;
    if (!std::isfinite(point_.cost[b])) end(b, Status::NonFinite);
  }
}

// Where the second derivatives are to be looked at.
Mask Fit::candidates(bool last) const {
  Mask chosen(status_.size());
  for (std::size_t b = 0; b < chosen.size(); ++b) {
    const bool due = slow_[b] >= kSlow && !rejected_newton_[b];
    chosen[b] = running_[b] && (last || stuck_[b] || due || step_.passes(b));
  }
  return chosen;
}

bool Fit::goes_on() {
  measure();
  const bool is_late = problem_.deadline.passed();
  const bool last = is_late || steps_ >= problem_.max_iterations;
  const Mask looked_at = candidates(last);
  if (looked_at.any() && judge(looked_at, last)) return goes_on();
  if (!last) return running_.any();
  for (std::size_t b = 0; b < status_.size(); ++b) {
    if (running_[b] && is_late) status_[b] = Status::TimeLimit;
  }
  return false;
}

// Whether a sample was moved away from a saddle.
bool Fit::judge(const Mask& candidates, bool last) {
  const at::Tensor x = point_.x.view(shape_);
  at::Tensor hessian = -Linearization(problem_.gradient, x).dense() / unit_.square().unsqueeze(2);
  if (point_.free.defined()) {
    const at::Tensor free = point_.free.to(hessian.scalar_type());
    hessian = hessian * free.unsqueeze(1) * free.unsqueeze(2);
  }
  const Verdict verdict =
      judge_curvature({hessian, point_.gradient, columns_of(point_.triangle), point_.size, point_.x},
                      point_.cost, problem_.tolerance);
  const std::vector<double> sums = to_host(hessian.abs().sum({1, 2}));
  at::Tensor without = (verdict.influence <= 0).logical_and(influenced_);
  if (point_.free.defined()) without = without.logical_and(point_.free);
  const std::vector<double> lost = to_host(without.any(1).to(at::kDouble));
  Mask saddles(status_.size());
  for (std::size_t b = 0; b < saddles.size(); ++b) {
    if (!candidates[b]) continue;
    slow_[b] = 0;
    const bool finite = std::isfinite(sums[b]);
    const bool solved = finite && verdict.size.passes(b) && (verdict.flat[b] == 0.0 || step_.passes(b));
    length_[b] = verdict.size.length[b];
    allowed_[b] = verdict.size.allowed[b];
    const bool bends_down = finite && verdict.least[b] < 0.0;
    if (bends_down && (solved || stuck_[b])) {
      saddles[b] = 1;
    } else if (solved || point_.cost[b] == 0.0) {
      end(b, lost[b] == 0.0 || point_.cost[b] == 0.0 ? Status::Converged : Status::Stalled);
    } else if (finite && !bends_down && !rejected_newton_[b]) {
      tries_newton_[b] = 1;
    } else if (stuck_[b]) {
      end(b, Status::Stalled);
    }
    stuck_[b] = 0;
  }
  newton_ = select_rows(tries_newton_, verdict.newton, newton_);
  if (!saddles.any() || last) return false;
  leave(saddles, verdict);
  return true;
}

std::vector<double> Fit::first_radii(double factor) const {
  std::vector<double> radius = row_norms((scale_ * point_.x).contiguous(), Norm::Euclidean);
  for (double& number : radius) number = number > 0.0 ? factor * number : factor;
  return radius;
}

at::Tensor Fit::image(const at::Tensor& d) const { return matrix_times(point_.triangle, d); }

// x + d within the bounds, for the running samples.
at::Tensor Fit::step_within(const at::Tensor& d) const {
  const at::Tensor there = (point_.x + d).view(shape_);
  return select_rows(running_, problem_.bounds.project(there).reshape(d.sizes()), point_.x).contiguous();
}

// Whether some sample may come out well, so that derivatives are needed there.
bool Fit::may_be_taken(const FitPoint& trial, const std::vector<double>& promised,
                       const std::vector<double>& rounding) const {
  for (std::size_t b = 0; b < status_.size(); ++b) {
    const double gain = point_.cost[b] - trial.cost[b];
    const bool by_slope = tries_newton_[b] || !(promised[b] > rounding[b]);
    if (running_[b] && (by_slope ? gain >= -rounding[b] : gain >= kLeastGain * promised[b])) return true;
  }
  return false;
}

Fit::Attempt Fit::attempt(const at::Tensor& d) {
  const at::Tensor there = step_within(select_rows(tries_newton_, newton_, d));
  const at::Tensor step = there - point_.x;
  const at::Tensor y = image(step);
  const std::vector<double> promised = to_host(-dot_of_rows(point_.right, y) - 0.5 * dot_of_rows(y, y));
  const std::vector<double> rounding = noise();
  const std::vector<double> slope = slope_of(point_);
  const std::vector<double> moved = to_host((step != 0).any(1).to(at::kDouble));
  const Trial trial = evaluate(there);
  Attempt result{std::vector<double>(status_.size(), -1.0), to_host(length_of_rows(scale_ * step))};
  trial_ = trial.point;
  std::vector<double> slope_there = slope;
  if (may_be_taken(trial.point, promised, rounding)) {
    trial_ = with_derivatives(trial);
    slope_there = slope_of(trial_);
  }
  for (std::size_t b = 0; b < status_.size(); ++b) {
    if (!running_[b]) continue;
    const double gain = point_.cost[b] - trial_.cost[b];
    const bool drowns = !(promised[b] > rounding[b]);
    if (moved[b] == 0.0) {
      rejections_[b] = kMostRejections;
    } else if (drowns || tries_newton_[b]) {
      const bool falls = gain > rounding[b] || (gain >= -rounding[b] && slope_there[b] < slope[b]);
      if (falls) result.gain[b] = kNeutralGain;
      if (!falls && drowns) rejections_[b] += 9;
    } else if (std::isfinite(gain)) {
      result.gain[b] = gain / promised[b];
    }
  }
  return result;
}

void Fit::take(const Mask& accepted) {
  ++steps_;
  for (std::size_t b = 0; b < status_.size(); ++b) {
    if (!running_[b]) continue;
    if (accepted[b]) ++iterations_[b];
    rejected_newton_[b] = !accepted[b] && (rejected_newton_[b] || tries_newton_[b]);
    tries_newton_[b] = 0;
    rejections_[b] = accepted[b] ? 0 : rejections_[b] + 1;
    stuck_[b] = rejections_[b] >= kMostRejections;
  }
  move_to(trial_, accepted);
}

void Fit::move_to(const FitPoint& next, const Mask& moved) {
  if (!moved.any()) return;
  point_.x = select_rows(moved, next.x, point_.x);
  point_.triangle = select_rows(moved, next.triangle, point_.triangle);
  point_.right = select_rows(moved, next.right, point_.right);
  point_.gradient = select_rows(moved, next.gradient, point_.gradient);
  if (point_.free.defined()) point_.free = select_rows(moved, next.free, point_.free);
  point_.reached = select_rows(moved, next.reached, point_.reached);
  point_.size = select_rows(moved, next.size, point_.size);
  for (std::size_t b = 0; b < point_.cost.size(); ++b) {
    if (moved[b]) point_.cost[b] = next.cost[b];
  }
}

void Fit::leave(const Mask& saddles, const Verdict& verdict) {
  constexpr int most_halvings = 30;
  std::vector<double> slope = verdict.fall;
  for (double& number : slope) number *= 1e-6;
  LineSearch search(point_.cost, slope, saddles);
  at::Tensor there = point_.x;
  Trial trial = evaluate(there);
  for (int halvings = 0; halvings <= most_halvings; ++halvings) {
    const at::Tensor tried = step_within(to_column(search.lengths(), verdict.escape) * verdict.escape);
    there = select_rows(search.searching(), tried, there).contiguous();
    trial = evaluate(there);
    if (!search.judge(trial.point.cost)) break;
    search.halve();
  }
  const FitPoint next = with_derivatives(trial);
  ++steps_;
  Mask left(status_.size());
  for (std::size_t b = 0; b < left.size(); ++b) {
    if (!saddles[b]) continue;
    left[b] = !search.searching()[b] && std::isfinite(next.cost[b]);
    if (left[b]) ++iterations_[b];
    if (!left[b]) end(b, Status::Stalled);
    rejections_[b] = 0;
    rejected_newton_[b] = 0;
  }
  move_to(next, left);
}

void Fit::write(Stats& stats) const {
  const std::vector<double> unit = to_host(unit_.flatten());
  stats.status = status_;
  stats.iterations = iterations_;
  for (std::size_t b = 0; b < unit.size(); ++b) {
    stats.residual.push_back(length_[b] * unit[b]);
    stats.allowed.push_back(allowed_[b] * unit[b]);
  }
}

}  // namespace stillpoint::detail
