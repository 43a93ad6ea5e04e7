#include "stillpoint/core/monitor.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>
#include <utility>

#include "core/rows.h"

namespace stillpoint {
namespace {

// A single overflow may be undone by a solver's safeguard, two in a row are not.
constexpr std::uint8_t kNonFinitePatience = 2;

}  // namespace

Monitor::Monitor(Tolerance tolerance, std::int64_t max_iterations, std::int64_t batch)
    : tolerance_(tolerance),
      max_iterations_(max_iterations),
      running_count_(batch),
      running_(batch, 1),
      improved_(batch, 0),
      finishing_(batch, 0),
      non_finite_(batch, 0),
      status_(batch, Status::MaxIterations),
      residual_(batch, std::numeric_limits<double>::quiet_NaN()),
      iterations_(batch, 0),
      parked_(batch, 0),
      waited_(batch, 0) {}

// The usual case, without a branch a sample: all are running, all improve, none converges.
bool Monitor::advances_together(const RowNorms& norms, const std::vector<double>& measured) const {
  if (!all_running() || steps_ == 0 || window_ends()) return false;
  const std::size_t batch = running_.size();
  const double absolute = *tolerance_.absolute;
  const double relative = *tolerance_.relative;
  int exceptions = 0;
  for (std::size_t b = 0; b < batch; ++b) {
    const double r = norms.residual[b];
    exceptions |= static_cast<int>(!(r < residual_[b])) |
                  static_cast<int>(!(measured[b] > absolute + relative * norms.scale[b]));
  }
  return exceptions == 0;
}

bool Monitor::update(at::Tensor z, const at::Tensor& fz) {
  residual_norms(z, fz, tolerance_.norm, latest_);
  return update(std::move(z), latest_);
}

bool Monitor::update(at::Tensor z, const RowNorms& norms) {
  ++steps_;
  const std::vector<double>& measured =
      criterion_ == Criterion::Residual ? norms.residual : step_lengths(z, norms);
  const at::Tensor shown = observer_ ? z : at::Tensor();
  if (advances_together(norms, measured)) {
    residual_ = norms.residual;
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
  const double absolute = *tolerance_.absolute;
  const double relative = *tolerance_.relative;
  std::int64_t improvements = 0;
  std::int64_t finishes = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    improved_[b] = 0;
    finishing_[b] = 0;
    if (!running_[b]) continue;
    const double r = norms.residual[b];
    const bool converged = std::isfinite(r) && measured[b] <= absolute + relative * norms.scale[b];
    if (converged || steps_ == 0 || r < residual_[b] || (std::isnan(residual_[b]) && !std::isnan(r))) {
      residual_[b] = r;
      improved_[b] = 1;
      ++improvements;
    }
    non_finite_[b] = std::isfinite(r) ? 0 : non_finite_[b] + 1;
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
  if (non_finite_[sample] == kNonFinitePatience) return true;
  return window_ends() && steps_ > window_start_ && !(residual_[sample] <= 0.5 * mark_[sample]);
}

void Monitor::park_stalled(std::int64_t window) {
  window_ = window;
  window_start_ = steps_ + 1;
  mark_.assign(running_.size(), std::numeric_limits<double>::infinity());
}

void Monitor::limit_time(double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr double forever = 1e9;  // 30 years; the clock's own count ends at 300
  if (seconds >= forever) return;
  deadline_ =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

std::int64_t Monitor::resume() {
  window_ = 0;
  if (steps_ >= max_iterations_) return 0;
  previous_ = at::Tensor();  // where the next method starts is no step
  best_ = best().clone();
  owns_best_ = true;
  std::int64_t count = 0;
  for (std::size_t b = 0; b < parked_.size(); ++b) {
    if (!parked_[b]) continue;
    parked_[b] = 0;
    running_[b] = 1;
    non_finite_[b] = 0;
    status_[b] = Status::MaxIterations;
    waited_[b] = steps_ - iterations_[b];
    ++count;
  }
  running_count_ += count;
  return count;
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
    if (running_[b]) residual_[b] = latest_.residual[b];
  }
}

void Monitor::write(Stats& stats) const {
  stats.status = status_;
  stats.residual = residual_;
  stats.iterations = iterations_;
  if (!method_.empty()) stats.method = method_;
  for (std::size_t b = 0; b < running_.size(); ++b) {
    if (!running_[b]) continue;
    stats.iterations[b] = steps_ - waited_[b];
    if (steps_ < max_iterations_ && time_is_over()) stats.status[b] = Status::TimeLimit;
  }
}

}  // namespace stillpoint
