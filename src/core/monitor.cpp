#include "stillpoint/core/monitor.h"

#include <algorithm>
#include <utility>

#include "core/rows/rows.h"
#include "core/show.h"

namespace stillpoint {
namespace {

// A single overflow may be undone by a solver's safeguard, two in a row are not.
constexpr std::uint8_t kNonFinitePatience = 2;

}  // namespace

Monitor::Monitor(StopTest test, std::int64_t max_iterations, std::int64_t batch)
    : test_(std::move(test)),
      best_(batch),
      max_iterations_(max_iterations),
      samples_(batch),
      running_(batch, true),
      running_count_(batch),
      better_(batch),
      ending_(batch) {}

bool Monitor::update(at::Tensor z, const at::Tensor& fz) {
  residual_norms(z, fz, tolerance().norm, latest_);
  return update(std::move(z), latest_);
}

bool Monitor::update(at::Tensor z, const RowNorms& norms) {
  ++steps_;
  if (!z.is_contiguous()) z = z.contiguous();
  const bool window_ends = stall_.ends_window(steps_);
  test_.follow(z, norms, running_, window_ends || steps_ == max_iterations_);
  const at::Tensor shown = observer_ ? z : at::Tensor();
  if (all_running() && !window_ends && best_.improves_all(norms.residual) && test_.solves_none(norms)) {
    advance(std::move(z), norms);
  } else {
    sort_out(std::move(z), norms, window_ends);
  }
  if (observer_) detail::show(observer_, {steps_, shown, norms.residual, running_}, best_);
  return running_count_ > 0 && time_is_left();
}

// The usual case: all are running, all improve, none converges.
void Monitor::advance(at::Tensor z, const RowNorms& norms) {
  best_.take(std::move(z), norms.residual);
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    samples_[b].allowed = test_.allowed(b, norms.scale[b]);
    samples_[b].non_finite = 0;
  }
}

void Monitor::sort_out(at::Tensor z, const RowNorms& norms, bool window_ends) {
  find_better(norms);
  best_.take(std::move(z), norms.residual, better_, running_);
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    ending_[b] = running_[b] && judge(b, norms.finite(b), window_ends);
  }
  if (window_ends) stall_.begin_window(best_.residual());
  if (ending_.any()) freeze();
}

// A solution is better than any iterate that is none, whatever its residual.
void Monitor::find_better(const RowNorms& norms) {
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    better_[b] = 0;
    if (!running_[b]) continue;
    const bool solved = test_.solves(b, norms);
    if (solved) samples_[b].status = Status::Converged;
    if (!solved && steps_ > 0 && !best_.improves(b, norms.residual[b])) continue;
    better_[b] = 1;
    samples_[b].allowed = test_.allowed(b, norms.scale[b]);
  }
}

// What has become of a running sample with the latest update, and whether it ends: solved, failed, given up
// or parked.
bool Monitor::judge(std::size_t sample, bool finite, bool window_ends) {
  Sample& s = samples_[sample];
  s.non_finite = finite ? 0 : s.non_finite + 1;
  const bool solved = s.status == Status::Converged;
  const bool failed = s.non_finite == kNonFinitePatience;
  const bool stalls = window_ends && stall_.stalls(sample, best_.residual()[sample]);
  s.parked = !solved && (stalls || (failed && stall_.parks()));
  if (!solved && !failed && !s.parked) return false;
  if (!solved) s.status = failed ? Status::NonFinite : Status::Stalled;
  s.iterations = steps_ - s.waited;
  return true;
}

void Monitor::freeze() {
  best_.end(ending_);
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    if (ending_[b]) running_[b] = 0;
  }
  running_count_ = running_.count();
}

void Monitor::norms(const at::Tensor& z, const at::Tensor& residual, RowNorms& norms) const {
  norms.residual = detail::row_norms(residual, tolerance().norm);
  norms.scale = detail::row_norms(z, tolerance().norm);
}

std::int64_t Monitor::resume() {
  stall_.end_parking(steps_ + 1);
  if (steps_ >= max_iterations_) return 0;
  test_.forget();  // where the next method starts is no step
  best_.go_on(running_);
  std::int64_t count = 0;
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    if (!samples_[b].parked) continue;
    samples_[b].parked = false;
    run_again(b);
    ++count;
  }
  return count;
}

void Monitor::run_again(std::size_t sample) {
  Sample& s = samples_[sample];
  s.non_finite = 0;
  s.status = Status::MaxIterations;
  s.waited = steps_ - s.iterations;
  running_[sample] = 1;
  ++running_count_;
}

std::int64_t Monitor::reopen(const RowNorms& whole) {
  const bool goes_on = time_is_left();
  const Mask before = running_;
  std::int64_t reopened = 0;
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    const double r = whole.residual[b];
    if (r <= 2.0 * std::max(samples_[b].allowed, best_.residual()[b])) continue;
    best_.restate(b, r);
    if (samples_[b].status != Status::Converged) continue;
    if (goes_on) run_again(b);
    samples_[b].status = Status::Inaccurate;
    ++reopened;
  }
  if (!goes_on || reopened == 0) return 0;
  best_.go_on(before);
  test_.forget();
  stall_.end_parking(steps_ + 1);
  return reopened;
}

void Monitor::settle_for_latest() {
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    if (!running_[b]) continue;
    best_.restate(b, latest_.residual[b]);
    samples_[b].allowed = allowed(b, latest_.scale[b]);
  }
}

void Monitor::write(Stats& stats) const {
  const std::size_t batch = samples_.size();
  stats.status.resize(batch);
  stats.allowed.resize(batch);
  stats.iterations.resize(batch);
  stats.residual = best_.residual();
  if (!method_.empty()) stats.method = method_;
  const bool late = steps_ < max_iterations_ && deadline_.passed();
  for (std::size_t b = 0; b < batch; ++b) {
    const Sample& s = samples_[b];
    stats.status[b] = running_[b] && late ? Status::TimeLimit : s.status;
    stats.allowed[b] = s.allowed;
    stats.iterations[b] = running_[b] ? steps_ - s.waited : s.iterations;
  }
}

}  // namespace stillpoint
