#include "stillpoint/core/monitor.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/rows/rows.h"

namespace stillpoint {
namespace {

// A single overflow may be undone by a solver's safeguard, two in a row are not.
constexpr std::uint8_t kNonFinitePatience = 2;

}  // namespace

Monitor::Monitor(const ResolvedTolerance& tolerance, std::int64_t max_iterations, std::int64_t batch)
    : tolerance_(tolerance),
      max_iterations_(max_iterations),
      running_count_(batch),
      running_(batch, 1),
      improved_(batch, 0),
      finishing_(batch, 0),
      non_finite_(batch, 0),
      status_(batch, Status::MaxIterations),
      residual_(batch, std::numeric_limits<double>::quiet_NaN()),
      allowed_(batch, std::numeric_limits<double>::quiet_NaN()),
      iterations_(batch, 0),
      parked_(batch, 0),
      waited_(batch, 0) {}

// The usual case, without a branch a sample: all are running, all improve, none converges.
bool Monitor::advances_together(const RowNorms& norms, const std::vector<double>& measured) {
  if (!all_running() || steps_ == 0 || window_ends()) return false;
  if (slopes_ && slopes_->fresh()) return false;
  const std::size_t batch = running_.size();
  const ResolvedTolerance tolerance = tolerance_;  // a copy, which no store in the loop can reach
  bounds_.resize(batch);
  int exceptions = 0;
  for (std::size_t b = 0; b < batch; ++b) {
    const double r = norms.residual[b];
    bounds_[b] = tolerance.allowed(norms.scale[b]);
    exceptions |= static_cast<int>(!(r < residual_[b])) | static_cast<int>(!(measured[b] > bounds_[b]));
  }
  return exceptions == 0;
}

double Monitor::allowed(std::size_t sample, double scale) const {
  return tolerance_.allowed(scale) * (slopes_ ? (*slopes_)[sample] : 1.0);
}

bool Monitor::solves(std::size_t sample, double measured, double scale) const {
  return (!slopes_ || slopes_->fresh()) && measured <= allowed(sample, scale);
}

void Monitor::compare_in_unit_of_z(Slopes::Measure measure) {
  slopes_.emplace(std::move(measure), static_cast<std::int64_t>(running_.size()));
}

void Monitor::follow_slopes(const at::Tensor& z, const RowNorms& norms) {
  bounds_.resize(norms.scale.size());
  for (std::size_t b = 0; b < bounds_.size(); ++b) {
    bounds_[b] = running_[b] ? tolerance_.allowed(norms.scale[b]) : 0.0;
  }
  slopes_->follow(z, norms.residual, bounds_, running_, window_ends() || steps_ == max_iterations_);
}

bool Monitor::update(at::Tensor z, const at::Tensor& fz) {
  residual_norms(z, fz, tolerance_.norm, latest_);
  return update(std::move(z), latest_);
}

bool Monitor::update(at::Tensor z, const RowNorms& norms) {
  ++steps_;
  if (slopes_) follow_slopes(z, norms);
  const std::vector<double>& measured =
      criterion_ == Criterion::Residual ? norms.residual : step_lengths(z, norms);
  const at::Tensor shown = observer_ ? z : at::Tensor();
  if (advances_together(norms, measured)) {
    residual_ = norms.residual;
    std::swap(allowed_, bounds_);
    for (std::size_t b = 0; slopes_ && b < allowed_.size(); ++b) allowed_[b] *= (*slopes_)[b];
    best_ = std::move(z);
    owns_best_ = false;
  } else {
    take_in(std::move(z), norms, measured);
  }
  if (observer_) show(shown, norms);
  return goes_on();
}

// A sample that has not moved is at infinity, if it is not at its goal.
const std::vector<double>& Monitor::step_lengths(const at::Tensor& z, const RowNorms& norms) {
  distance_.assign(running_.size(), 0.0);
  if (previous_.defined()) distance_ = detail::row_norms(z - previous_, tolerance_.norm);
  for (std::size_t b = 0; b < distance_.size(); ++b) {
    if (norms.residual[b] == 0.0) {
      distance_[b] = 0.0;
    } else if (distance_[b] == 0.0) {
      distance_[b] = std::numeric_limits<double>::infinity();
    }
  }
  previous_ = z;
  return distance_;
}

// Of the finished samples the observer sees what they have come to.
void Monitor::show(const at::Tensor& z, const RowNorms& norms) const {
  const at::NoGradGuard no_grad;
  if (all_running()) {
    observer_({steps_, z.detach(), norms.residual, running_});
    return;
  }
  at::Tensor all = best();
  if (running_count_ > 0) detail::copy_rows(running_, z, all);
  std::vector<double> residual = norms.residual;
  for (std::size_t b = 0; b < residual.size(); ++b) {
    if (!running_[b]) residual[b] = residual_[b];
  }
  observer_({steps_, all, residual, running_});
}

void Monitor::take_in(at::Tensor z, const RowNorms& norms, const std::vector<double>& measured) {
  const std::int64_t batch = static_cast<std::int64_t>(running_.size());
  std::int64_t improvements = 0;
  std::int64_t finishes = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    improved_[b] = 0;
    finishing_[b] = 0;
    if (!running_[b]) continue;
    const double r = norms.residual[b];
    const bool finite = std::isfinite(r) && std::isfinite(norms.scale[b]);
    const bool converged = finite && solves(b, measured[b], norms.scale[b]);
    if (converged || steps_ == 0 || r < residual_[b] || (std::isnan(residual_[b]) && !std::isnan(r))) {
      residual_[b] = r;
      allowed_[b] = allowed(b, norms.scale[b]);
      improved_[b] = 1;
      ++improvements;
    }
    non_finite_[b] = finite ? 0 : non_finite_[b] + 1;
    parked_[b] = !converged && stalls(b);
    if (converged || non_finite_[b] == kNonFinitePatience) {
      status_[b] = converged ? Status::Converged : Status::NonFinite;
      finishing_[b] = 1;
    }
    if (parked_[b] && status_[b] != Status::NonFinite) status_[b] = Status::Stalled;
    finishing_[b] |= parked_[b];
    if (finishing_[b]) iterations_[b] = steps_ - waited_[b];
    finishes += finishing_[b];
  }
  if (window_ends()) mark_ = residual_;
  keep_best(std::move(z), improvements);
  if (finishes > 0) finish(finishes);
}

void Monitor::norms(const at::Tensor& z, const at::Tensor& residual, RowNorms& norms) const {
  norms.residual = detail::row_norms(residual, tolerance_.norm);
  norms.scale = detail::row_norms(z, tolerance_.norm);
}

bool Monitor::stalls(std::size_t sample) const {
  if (window_ == 0) return false;
  if (parks_ && non_finite_[sample] == kNonFinitePatience) return true;
  return window_ends() && steps_ > window_start_ && !(residual_[sample] <= factor_ * mark_[sample]);
}

void Monitor::begin_window(std::int64_t window, double factor) {
  window_ = window;
  factor_ = factor;
  window_start_ = steps_ + 1;
  mark_.assign(running_.size(), std::numeric_limits<double>::infinity());
}

void Monitor::give_up_stalled(std::int64_t window) {
  patience_ = window;
  parks_ = false;
  begin_window(window, 0.99);
}

void Monitor::park_stalled(std::int64_t window) {
  parks_ = true;
  begin_window(window, 0.5);
}

void Monitor::limit_time(double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr double forever = 1e9;  // 30 years; the clock's own count ends at 300
  if (seconds >= forever) return;
  deadline_ =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

std::int64_t Monitor::resume() {
  give_up_stalled(patience_);
  if (steps_ >= max_iterations_) return 0;
  previous_ = at::Tensor();  // where the next method starts is no step
  best_ = best().clone();
  owns_best_ = true;
  std::int64_t count = 0;
  for (std::size_t b = 0; b < parked_.size(); ++b) {
    if (!parked_[b]) continue;
    parked_[b] = 0;
    run_again(b);
    ++count;
  }
  running_count_ += count;
  return count;
}

void Monitor::run_again(std::size_t sample) {
  running_[sample] = 1;
  non_finite_[sample] = 0;
  status_[sample] = Status::MaxIterations;
  waited_[sample] = steps_ - iterations_[sample];
}

std::int64_t Monitor::reopen(const RowNorms& whole) {
  const bool goes_on = steps_ < max_iterations_ && !time_is_over();
  std::int64_t reopened = 0;
  const at::Tensor all = best();
  for (std::size_t b = 0; b < running_.size(); ++b) {
    const double r = whole.residual[b];
    if (r <= 2.0 * std::max(allowed_[b], residual_[b])) continue;
    residual_[b] = r;
    if (status_[b] != Status::Converged) continue;
    if (goes_on) run_again(b);
    status_[b] = Status::Inaccurate;
    ++reopened;
  }
  if (!goes_on || reopened == 0) return 0;
  best_ = all.clone();
  owns_best_ = true;
  previous_ = at::Tensor();
  give_up_stalled(patience_);
  running_count_ += reopened;
  return reopened;
}

// The iterate itself is kept while all running samples improve together, which costs nothing; rows are copied
// only from the moment that some do not.
void Monitor::keep_best(at::Tensor z, std::int64_t improvements) {
  if (improvements == running_count_) {
    best_ = std::move(z);
    owns_best_ = false;
  } else if (improvements > 0) {
    if (!owns_best_) best_ = best_.clone();
    owns_best_ = true;
    detail::copy_rows(improved_, z, best_);
  }
}

void Monitor::finish(std::int64_t finishes) {
  // Once samples have parted ways, all that finish are gathered there, also if it is all of them at once:
  // parked ones may have come back.
  if (finished_.defined() || finishes < static_cast<std::int64_t>(running_.size())) {
    if (!finished_.defined()) finished_ = at::empty_like(best_);
    detail::copy_rows(finishing_, best_, finished_);
  }
  for (std::size_t b = 0; b < running_.size(); ++b) {
    if (finishing_[b]) running_[b] = 0;
  }
  running_count_ -= finishes;
}

at::Tensor Monitor::best() const {
  if (!finished_.defined()) return best_;
  if (running_count_ == 0) return finished_;
  at::Tensor all = finished_.clone();
  detail::copy_rows(running_, best_, all);
  return all;
}

void Monitor::settle_for_latest() {
  for (std::size_t b = 0; b < running_.size(); ++b) {
    if (!running_[b]) continue;
    residual_[b] = latest_.residual[b];
    allowed_[b] = allowed(b, latest_.scale[b]);
  }
}

void Monitor::write(Stats& stats) const {
  stats.status = status_;
  stats.residual = residual_;
  stats.allowed = allowed_;
  stats.iterations = iterations_;
  if (!method_.empty()) stats.method = method_;
  for (std::size_t b = 0; b < running_.size(); ++b) {
    if (!running_[b]) continue;
    stats.iterations[b] = steps_ - waited_[b];
    if (steps_ < max_iterations_ && time_is_over()) stats.status[b] = Status::TimeLimit;
  }
}

}  // namespace stillpoint
