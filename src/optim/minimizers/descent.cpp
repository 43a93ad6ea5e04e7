#include "optim/minimizers/descent.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "descent/line_search.h"
#include "stillpoint/equations/linearization.h"

namespace stillpoint::detail {
namespace {

// The widest samples whose Hessian is looked at where a method does not need it.
constexpr std::int64_t kCurvatureWidth = 64;
// How many steps in a row may change the value by no more than its rounding.
constexpr std::int64_t kPatience = 200;
// Of the largest eigenvalue; less than that is a zero with rounding errors.
double flatness(at::ScalarType dtype) { return std::sqrt(machine_epsilon(dtype)); }

// The change of the value along a step to first order.
std::vector<double> rise(const at::Tensor& gradient, const at::Tensor& step) {
  return to_host(row_dot(gradient, step).reshape({step.size(0)}));
}

}  // namespace

Descent::Descent(DescentProblem& problem, const at::Tensor& x0, StopTest test, std::int64_t max_iterations)
    : problem_(problem),
      test_(std::move(test)),
      max_iterations_(max_iterations),
      point_(problem.objective.at(x0)),
      first_value_(point_.value),
      running_(problem.running),
      renewed_(x0.size(0), true),
      retries_(x0.size(0)),
      stuck_(x0.size(0)),
      status_(x0.size(0), Status::MaxIterations),
      allowed_(x0.size(0), 0.0),
      iterations_(x0.size(0), 0),
      drowned_(x0.size(0), 0) {}

void Descent::end(std::size_t b, Status status) {
  status_[b] = status;
  running_[b] = 0;
  stuck_[b] = 0;
}

void Descent::follow(bool now) {
  norms_.residual =
      row_norms(problem_.bounds.residual(point_.x, point_.gradient).contiguous(), test_.tolerance().norm);
  norms_.scale = row_norms(point_.x, test_.tolerance().norm);
  for (std::size_t b = 0; b < status_.size(); ++b) {
    const bool finite = norms_.finite(b) && std::isfinite(point_.value[b]);
    if (running_[b] && !finite) end(b, Status::NonFinite);
  }
  test_.follow(point_.x, norms_, running_, now || stuck_.any());
  for (std::size_t b = 0; b < status_.size(); ++b) {
    if (running_[b]) allowed_[b] = test_.allowed(b, norms_.scale[b]);
  }
}

// Directions of most negative curvature, down the gradient, and that curvature; 0 where there is none.
Descent::Escape Descent::negative_curvature(const at::Tensor& hessian, const at::Tensor& gradient) {
  const auto [values, vectors] = at::linalg_eigh(finite_or_zero(hessian));
  const at::Tensor least = values.select(1, 0);
  const at::Tensor largest = values.abs().amax(1);
  const at::Tensor counts = least < -flatness(gradient.scalar_type()) * largest;
  at::Tensor direction = vectors.select(2, 0).reshape(gradient.sizes()).contiguous();
  direction = at::where(row_dot(direction, gradient) > 0, -direction, direction);
  return {direction, to_host(at::where(counts, least, at::zeros_like(least)))};
}

void Descent::show() const {
  if (observer_) observer_({steps_, point_.x, norms_.residual, running_});
}

bool Descent::goes_on() {
  late_ = deadline_.passed();
  const bool time_is_left = steps_ < max_iterations_ && !late_;
  follow(/*now=*/!time_is_left);
  Mask solved(status_.size()), saddles(status_.size());
  for (std::size_t b = 0; b < solved.size(); ++b) solved[b] = running_[b] && test_.solves(b, norms_);
  if (solved.any()) {
    const bool looks = always_looks_ || row_width(point_.x) <= kCurvatureWidth;
    const Escape escape = looks ? negative_curvature(hessian(), free_gradient()) : Escape{};
    for (std::size_t b = 0; b < solved.size(); ++b) {
      saddles[b] = solved[b] && looks && escape.curvature[b] < 0.0;
      if (solved[b] && !saddles[b]) end(b, Status::Converged);
    }
    if (saddles.any() && time_is_left) {
      show();
      leave(saddles, escape);
      return goes_on();
    }
  }
  for (std::size_t b = 0; b < solved.size(); ++b) {
    if (running_[b] && stuck_[b]) end(b, Status::Stalled);
  }
  show();
  return running_.any() && time_is_left;
}

at::Tensor Descent::freedom() const {
  const at::Tensor held = problem_.bounds.holds(point_.x, point_.gradient);
  return held.logical_not().to(point_.x.scalar_type());
}

at::Tensor Descent::free_gradient() const {
  if (!problem_.bounds.any()) return point_.gradient;
  return point_.gradient.masked_fill(problem_.bounds.holds(point_.x, point_.gradient), 0);
}

at::Tensor Descent::hessian() const {
  const Linearization here(problem_.gradient, point_.x);
  const at::Tensor matrix = -here.dense();
  at::Tensor symmetric = 0.5 * (matrix + matrix.transpose(1, 2));
  if (!problem_.bounds.any()) return symmetric;
  const at::Tensor free = freedom().reshape({point_.x.size(0), -1});
  return symmetric * free.unsqueeze(1) * free.unsqueeze(2);
}

Map Descent::hessian_product() const {
  const auto here = std::make_shared<Linearization>(problem_.gradient, point_.x);
  const at::Tensor free = freedom();
  return [here, free](const at::Tensor& v) { return -free * here->transposed().mv(free * v); };
}

at::Tensor Descent::cauchy_length() const {
  const Linearization here(problem_.gradient, point_.x);
  const at::Tensor gradient = free_gradient();
  const std::vector<double> size = row_norms(gradient, Norm::Euclidean);
  const at::Tensor unit = quotient_or_zero(gradient, to_column(size, gradient));
  const std::vector<double> curvature =
      to_host(row_dot(unit, here.transposed().mv(unit)).reshape({gradient.size(0)}));
  const std::vector<double> scale = row_norms(point_.x, Norm::Euclidean);
  std::vector<double> length(size.size(), 1.0);
  for (std::size_t b = 0; b < length.size(); ++b) {
    const double by_curvature = 1.0 / std::abs(curvature[b]);
    const double by_size = (scale[b] > 0.0 ? scale[b] : 1.0) / size[b];
    length[b] = std::isfinite(by_curvature) ? by_curvature : by_size;
    if (!std::isfinite(length[b])) length[b] = 1.0;
  }
  return to_column(length, gradient);
}

std::vector<double> Descent::rounding() const {
  std::vector<double> result(status_.size());
  const double unit = 10.0 * machine_epsilon(point_.x.scalar_type());
  for (std::size_t b = 0; b < result.size(); ++b) {
    result[b] = unit * std::max(std::abs(point_.value[b]), std::abs(first_value_[b]));
  }
  return result;
}

std::vector<WolfeSearch::Start> Descent::search_start(const std::vector<double>& slope) const {
  const std::vector<double> noise = rounding();
  std::vector<WolfeSearch::Start> start;
  for (std::size_t b = 0; b < slope.size(); ++b) {
    double highest = point_.value[b];
    for (const std::vector<double>& before : latest_values_) highest = std::max(highest, before[b]);
    start.push_back({point_.value[b], slope[b], noise[b], highest - point_.value[b]});
  }
  return start;
}

// Where the direction does not descend, or the last search found nothing.
Descent::Fallback Descent::fallback(const at::Tensor& direction) const {
  const std::vector<double> slope = rise(free_gradient(), direction);
  Fallback down{Mask(slope.size()), {}};
  for (std::size_t b = 0; b < slope.size(); ++b) {
    const bool descends = slope[b] < 0.0 && std::isfinite(slope[b]);
    down.chosen[b] = running_[b] && (retries_[b] || !descends);
  }
  if (down.chosen.any()) down.length = cauchy_length();
  return down;
}

void Descent::advance(const at::Tensor& direction, const DirectionAt& again) {
  const Fallback down = fallback(direction);
  const at::Tensor d =
      down.length.defined() ? select_rows(down.chosen, -down.length * free_gradient(), direction) : direction;
  const bool bends = problem_.bounds.any();
  const std::vector<double> slope =
      rise(point_.gradient, bends ? problem_.bounds.project(point_.x + d) - point_.x : d);
  WolfeSearch search(search_start(slope), std::vector<double>(slope.size(), 1.0), running_,
                     bends || rises_within_ > 0 ? std::numeric_limits<double>::infinity() : level_);
  DescentPoint trial = point_;
  do {
    const at::Tensor length = to_column(search.lengths(), d);
    const at::Tensor there = problem_.bounds.project(point_.x + length * d);
    trial = problem_.objective.at(select_rows(search.searching(), there, trial.x).contiguous());
    search.judge(trial.value, rise(trial.gradient, bends ? (trial.x - point_.x) / length : d));
  } while (search.searching().any());
  if (trail_ != nullptr) keep_step(again, down, to_column(search.lengths(), d), search.found());
  Mask hopeless(status_.size());
  for (std::size_t b = 0; b < status_.size(); ++b) hopeless[b] = !search.found()[b] && retries_[b];
  latest_values_.push_back(point_.value);
  while (latest_values_.size() > rises_within_) latest_values_.pop_front();
  take(std::move(trial), search.found(), hopeless, search.unbounded());
  for (std::size_t b = 0; b < status_.size(); ++b) {
    if (!running_[b]) continue;
    retries_[b] = !search.found()[b];
    renewed_[b] = retries_[b];
  }
}

DescentPoint Descent::at(const at::Tensor& step) const {
  const at::Tensor there = problem_.bounds.project(point_.x + step);
  return problem_.objective.at(select_rows(running_, there, point_.x).contiguous());
}

void Descent::take(DescentPoint trial, const Mask& accepted, const Mask& hopeless, const Mask& unbounded) {
  ++steps_;
  const std::vector<double> noise = rounding();
  for (std::size_t b = 0; b < status_.size(); ++b) {
    if (!running_[b]) continue;
    if (accepted[b]) ++iterations_[b];
    drowned_[b] = std::abs(trial.value[b] - point_.value[b]) <= noise[b] ? drowned_[b] + 1 : 0;
    stuck_[b] = hopeless[b] || drowned_[b] >= kPatience;
    renewed_[b] = 0;
  }
  move_to(std::move(trial), accepted);
  for (std::size_t b = 0; b < status_.size(); ++b) {
    if (running_[b] && unbounded[b]) end(b, Status::Unbounded);
  }
}

void Descent::keep_step(const DirectionAt& again, const Fallback& down, const at::Tensor& length,
                        const Mask& moved) {
  TORCH_INTERNAL_ASSERT(again != nullptr, "a solver that offers its steps said nothing of one");
  const auto step = [=, bounds = trail_bounds_, free = freedom()](const at::Tensor& x,
                                                                  const at::Tensor& gradient) {
    at::Tensor d = again(x, gradient);
    if (down.length.defined()) d = select_rows(down.chosen, -down.length * free * gradient, d);
    return select_rows(moved, bounds.project(x + length * d), x);
  };
  trail_->push_back({step, moved});
}

void Descent::keep_shift(const at::Tensor& shift, const Mask& moved) {
  const auto step = [=, bounds = trail_bounds_](const at::Tensor& x, const at::Tensor& /*gradient*/) {
    return select_rows(moved, bounds.project(x + shift), x);
  };
  trail_->push_back({step, moved});
}

void Descent::move_to(DescentPoint next, const Mask& moved) {
  point_.x = select_rows(moved, next.x, point_.x);
  point_.gradient = select_rows(moved, next.gradient, point_.gradient);
  for (std::size_t b = 0; b < point_.value.size(); ++b) {
    if (moved[b]) point_.value[b] = next.value[b];
  }
}

void Descent::leave(const Mask& saddles, const Escape& escape) {
  std::vector<double> length(status_.size(), 1.0);
  std::vector<double> slope(status_.size(), 0.0);
  for (std::size_t b = 0; b < length.size(); ++b) {
    if (norms_.scale[b] > 0.0) length[b] = norms_.scale[b];
    slope[b] = 1e-6 * escape.curvature[b] * length[b] * length[b];
  }
  constexpr int most_halvings = 30;
  LineSearch search(point_.value, slope, saddles);
  const at::Tensor whole = escape.direction * to_column(length, escape.direction);
  DescentPoint trial = point_;
  for (int halvings = 0; halvings <= most_halvings; ++halvings) {
    const at::Tensor there = problem_.bounds.project(point_.x + to_column(search.lengths(), whole) * whole);
    trial = problem_.objective.at(select_rows(search.searching(), there, trial.x).contiguous());
    if (!search.judge(trial.value)) break;
    search.halve();
  }
  ++steps_;
  Mask left(status_.size());
  for (std::size_t b = 0; b < left.size(); ++b) {
    if (!saddles[b]) continue;
    left[b] = !search.searching()[b];
    renewed_[b] = 1;
    if (left[b]) ++iterations_[b];
    if (!left[b]) end(b, Status::Stalled);
  }
  if (trail_ != nullptr) keep_shift(to_column(search.lengths(), whole) * whole, left);
  move_to(std::move(trial), left);
}

void Descent::write(Stats& stats) const {
  stats.status = status_;
  stats.residual = norms_.residual;
  stats.allowed = allowed_;
  stats.iterations = iterations_;
  for (std::size_t b = 0; b < status_.size(); ++b) {
    if (running_[b] && late_ && steps_ < max_iterations_) stats.status[b] = Status::TimeLimit;
  }
}

}  // namespace stillpoint::detail
