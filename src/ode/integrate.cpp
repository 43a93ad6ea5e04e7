#include "ode/integrate.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "core/rows/rows.h"
#include "ode/control/first_step.h"
#include "ode/control/step_control.h"
#include "ode/runge_kutta.h"

namespace stillpoint::detail {
namespace {

using Seconds = std::chrono::duration<double>;

struct Limits {
  double absolute;
  double relative;
};

double checked(const char* field, double value) {
  TORCH_CHECK(value >= 0.0, "tolerance.", field, ": expected a number ≥ 0, got ", value);
  return value;
}

Limits resolved(const ode::Tolerance& tolerance, at::ScalarType dtype) {
  const at::ScalarType real = c10::toRealValueType(dtype);
  const bool is_double = real == at::kDouble;
  const bool is_half = is_half_precision(real);
  const Limits usual = is_double ? Limits{1e-8, 1e-6} : is_half ? Limits{1e-3, 1e-2} : Limits{1e-6, 1e-4};
  return {checked("absolute", tolerance.absolute.value_or(usual.absolute)),
          checked("relative", tolerance.relative.value_or(usual.relative))};
}

// One course of steps, of the batch or of one sample.
struct Clock {
  explicit Clock(const StepControl& chosen) : control(chosen) {}

  StepControl control;
  Place at = {};            // reached
  Place aim = {};           // end of the step that is tried
  double time = 0.0;        // reached
  std::int64_t output = 1;  // the next one
  std::int64_t accepted = 0;
  std::int64_t rejected = 0;
  bool running = true;
  std::vector<MeshStep> steps = {};
};

class Solve {
 public:
  Solve(const Slope& f, const at::Tensor& y0, const Schedule& schedule, const OdeintOptions& options,
        bool joint, bool keep_states)
      : f_(f),
        schedule_(schedule),
        options_(options),
        tableau_(options.method.tableau()),
        limits_(resolved(options.tolerance, y0.scalar_type())),
        joint_(joint),
        keep_states_(keep_states),
        y_(y0),
        alive_(y0.size(0), true),
        status_(y0.size(0), ode::Status::Finished),
        taken_(y0.size(0), 0) {
    std::vector<std::int64_t> shape = y0.sizes().vec();
    shape.insert(shape.begin() + 1, schedule.outputs());
    values_ = at::full(shape, std::numeric_limits<double>::quiet_NaN(), y0.options());
    values_.select(1, 0).copy_(y0);
  }

  Integration run() {
    const auto begin = std::chrono::steady_clock::now();
    start();
    while (any_running()) {
      aim();
      attempt();
      if (options_.observer) options_.observer({tries_, sample_times(), y_});
      if (options_.time_limit &&
          Seconds(std::chrono::steady_clock::now() - begin).count() > *options_.time_limit)
        stop_all(ode::Status::TimeLimit);
    }
    return finish();
  }

 private:
  std::size_t clock_of(std::size_t sample) const { return joint_ ? 0 : sample; }

  bool any_running() const {
    return std::any_of(clocks_.begin(), clocks_.end(), [](const Clock& clock) { return clock.running; });
  }

  void start() {
    const std::size_t count = schedule_.clocks();
    std::vector<double> first(count, 0.0);
    if (schedule_.outputs() > 1 && StepControl::estimates_errors(options_.control)) first = first_lengths();
    for (std::size_t n = 0; n < count; ++n) {
      clocks_.emplace_back(StepControl(options_.control, tableau_.embedded_order, first[n]));
      clocks_[n].at = {.from = 0, .to = schedule_.next_stop(0), .fraction = 0.0};
      clocks_[n].time = schedule_.time(n, 0);
      clocks_[n].running = schedule_.outputs() > 1 && y_.size(0) > 0;
    }
  }

  std::vector<double> first_lengths() {
    const auto& pid = std::get<ode::Pid>(options_.control);
    const std::size_t count = schedule_.clocks();
    if (pid.first_step) return std::vector<double>(count, *pid.first_step);
    std::vector<double> times;
    std::vector<double> lengths;
    for (std::size_t n = 0; n < count; ++n) {
      times.push_back(schedule_.time(n, 0));
      lengths.push_back(schedule_.time(n, schedule_.outputs() - 1) - times.back());
    }
    slope_ = f_(as_time(times, joint_, y_), y_);
    return first_steps(f_, y_, slope_, joint_, times, lengths, tableau_.embedded_order, limits_.absolute,
                       limits_.relative);
  }

  // Chooses where the step ends; a clock that has stopped stands still.
  void aim() {
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      Clock& clock = clocks_[n];
      clock.aim = clock.at;
      if (!clock.running) continue;
      const double from = schedule_.time(n, clock.at.from);
      const double way = std::abs(schedule_.time(n, clock.at.to) - from);
      const double remaining = std::abs(schedule_.time(n, clock.at.to) - clock.time);
      const double length = clock.control.propose(remaining, clock.time);
      clock.aim.fraction = length >= remaining ? 1.0 : clock.at.fraction + length / way;
    }
  }

  Span span() const {
    Span span{.joint = joint_};
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      span.start.push_back(clocks_[n].time);
      span.end.push_back(schedule_.time(n, clocks_[n].aim));
    }
    return span;
  }

  void attempt() {
    ++tries_;
    const Span span = this->span();
    const Stages stages = take_step(tableau_, f_, span, y_, slope_, /*all=*/true);
    const std::vector<double> errors =
        step_errors(tableau_, span, y_, stages, limits_.absolute, limits_.relative);
    Mask accepted(clocks_.size());
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      if (clocks_[n].running) accepted[n] = judge(n, span, errors);
    }
    move(span, stages, accepted);
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      if (clocks_[n].running && clocks_[n].accepted + clocks_[n].rejected >= options_.max_steps)
        stop(n, ode::Status::StepLimit);
    }
  }

  double error_of(std::size_t clock, const std::vector<double>& errors) const {
    if (!joint_) return errors[clock];
    double largest = 0.0;
    for (std::size_t b = 0; b < errors.size(); ++b) {
      if (!alive_[b]) continue;
      if (!std::isfinite(errors[b])) return std::numeric_limits<double>::infinity();
      largest = std::max(largest, errors[b]);
    }
    return largest;
  }

  // Whether the step of a clock is taken; tells its control.
  bool judge(std::size_t n, const Span& span, const std::vector<double>& errors) {
    Clock& clock = clocks_[n];
    const double error = error_of(n, errors);
    const double length = std::abs(span.end[n] - span.start[n]);
    if (clock.control.accepts(error)) {
      clock.control.accept(error, length);
      return true;
    }
    ++clock.rejected;
    if (!clock.control.is_least(length, clock.time)) {
      clock.control.reject(error, length);
      return false;
    }
    for (std::size_t b = 0; b < errors.size(); ++b) {
      if (clock_of(b) != n || !alive_[b] || clock.control.accepts(errors[b])) continue;
      give_up(b, std::isfinite(errors[b]) ? ode::Status::StepTooSmall : ode::Status::NotFinite);
    }
    clock.control.forget_rejections();
    return false;
  }

  void give_up(std::size_t sample, ode::Status why) {
    alive_[sample] = 0;
    status_[sample] = why;
    Clock& clock = clocks_[clock_of(sample)];
    taken_[sample] = clock.steps.size();
    failed_at_.emplace_back(sample, clock.time);
    if (!joint_ || !alive_.any()) clock.running = false;
  }

  void stop(std::size_t clock, ode::Status why) {
    for (std::size_t b = 0; b < alive_.size(); ++b) {
      if (clock_of(b) == clock && alive_[b]) give_up(b, why);
    }
  }

  void stop_all(ode::Status why) {
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      if (clocks_[n].running) stop(n, why);
    }
  }

  Mask moving(const Mask& accepted) const {
    Mask moving(alive_.size());
    for (std::size_t b = 0; b < moving.size(); ++b) moving[b] = alive_[b] & accepted[clock_of(b)];
    return moving;
  }

  void move(const Span& span, const Stages& stages, const Mask& accepted) {
    const bool shares_last = tableau_.first_same_as_last();
    if (!accepted.any()) {
      slope_ = stages.slopes[0];
      return;
    }
    const Mask moving = this->moving(accepted);
    const at::Tensor next = moving.all() ? stages.next : select_rows(moving, stages.next, y_);
    keep(moving, accepted);
    write_outputs(span, stages, moving, accepted, next);
    y_ = next;
    if (!shares_last) {
      slope_ = at::Tensor();
    } else {
      slope_ =
          moving.all() ? stages.slopes.back() : select_rows(moving, stages.slopes.back(), stages.slopes[0]);
    }
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      if (accepted[n]) advance(n);
    }
  }

  void advance(std::size_t n) {
    Clock& clock = clocks_[n];
    ++clock.accepted;
    clock.time = schedule_.time(n, clock.aim);
    clock.at = clock.aim;
    if (clock.at.fraction < 1.0) return;
    if (clock.at.to + 1 == schedule_.outputs()) {
      clock.running = false;
      return;
    }
    clock.at = {.from = clock.at.to, .to = schedule_.next_stop(clock.at.to), .fraction = 0.0};
  }

  // Adds the steps to the mesh and remembers where they start.
  void keep(const Mask& moving, const Mask& accepted) {
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      if (!accepted[n]) continue;
      Clock& clock = clocks_[n];
      clock.steps.push_back({.start = clock.at, .end = clock.aim});
      MeshStep& step = clock.steps.back();
      const double end = schedule_.time(n, clock.aim);
      const double sign = schedule_.direction(n);
      const bool last = clock.aim.fraction == 1.0 && clock.aim.to + 1 == schedule_.outputs();
      while (clock.output < schedule_.outputs() &&
             (last || sign * schedule_.time(n, clock.output) <= sign * end)) {
        step.outputs.push_back(clock.output++);
      }
    }
    if (!keep_states_) return;
    if (joint_) {
      states_.push_back(y_);
      return;
    }
    for (std::size_t b = 0; b < moving.size(); ++b) {
      if (!moving[b]) continue;
      const std::size_t number = clocks_[b].steps.size() - 1;
      if (number == states_.size()) states_.push_back(at::empty_like(y_));
      states_[number]
          .select(0, static_cast<std::int64_t>(b))
          .copy_(y_.select(0, static_cast<std::int64_t>(b)));
    }
  }

  void write_outputs(const Span& span, const Stages& stages, const Mask& moving, const Mask& accepted,
                     const at::Tensor& next) {
    for (std::size_t i = 0;; ++i) {
      std::vector<std::int64_t> columns(clocks_.size(), -1);
      bool at_end = true;
      for (std::size_t n = 0; n < clocks_.size(); ++n) {
        if (!accepted[n] || i >= clocks_[n].steps.back().outputs.size()) continue;
        columns[n] = clocks_[n].steps.back().outputs[i];
        const Place& end = clocks_[n].steps.back().end;
        at_end &= end.fraction == 1.0 && end.to == columns[n];
      }
      if (std::all_of(columns.begin(), columns.end(), [](std::int64_t k) { return k < 0; })) return;
      write(columns, at_end ? next : inside(span, stages, columns), moving);
    }
  }

  at::Tensor inside(const Span& span, const Stages& stages, const std::vector<std::int64_t>& columns) {
    Span output = span;
    for (std::size_t n = 0; n < columns.size(); ++n) {
      if (columns[n] >= 0) output.end[n] = schedule_.time(n, columns[n]);
    }
    return state_inside(tableau_, f_, span, output, y_, stages);
  }

  void write(const std::vector<std::int64_t>& columns, const at::Tensor& state, const Mask& moving) {
    if (joint_ && moving.all()) {
      values_.select(1, columns[0]).copy_(state);
      return;
    }
    for (std::size_t b = 0; b < moving.size(); ++b) {
      const std::int64_t column = columns[clock_of(b)];
      if (!moving[b] || column < 0) continue;
      const auto row = static_cast<std::int64_t>(b);
      values_.select(0, row).select(0, column).copy_(state.select(0, row));
    }
  }

  std::vector<double> sample_times() const {
    std::vector<double> times(alive_.size());
    for (std::size_t b = 0; b < times.size(); ++b) times[b] = clocks_[clock_of(b)].time;
    for (const auto& [sample, time] : failed_at_) times[sample] = time;
    return times;
  }

  Integration finish() {
    Integration found;
    ode::Stats& stats = found.stats;
    stats.method = options_.method.name();
    stats.status = status_;
    stats.time = sample_times();
    stats.evaluations = f_.evaluations();
    for (std::size_t b = 0; b < alive_.size(); ++b) {
      const Clock& clock = clocks_[clock_of(b)];
      if (alive_[b]) taken_[b] = clock.steps.size();
      stats.accepted.push_back(static_cast<std::int64_t>(taken_[b]));
      stats.rejected.push_back(clock.rejected);
    }
    found.mesh.joint = joint_;
    found.mesh.taken = taken_;
    for (Clock& clock : clocks_) found.mesh.clocks.push_back(std::move(clock.steps));
    fill_states();
    if (keep_states_) states_.push_back(y_);
    found.states = std::move(states_);
    found.values = values_;
    return found;
  }

  // A sample that has taken all its steps stands still where the last one led.
  void fill_states() {
    for (std::size_t number = 0; !joint_ && number < states_.size(); ++number) {
      for (std::size_t b = 0; b < taken_.size(); ++b) {
        const auto row = static_cast<std::int64_t>(b);
        if (number >= taken_[b]) states_[number].select(0, row).copy_(y_.select(0, row));
      }
    }
  }

  const Slope& f_;
  const Schedule& schedule_;
  const OdeintOptions& options_;
  const ode::Tableau& tableau_;
  Limits limits_;
  bool joint_;
  bool keep_states_;
  at::Tensor y_;
  at::Tensor slope_;  // at y_, if it is known
  at::Tensor values_;
  std::vector<Clock> clocks_;
  Mask alive_;
  std::vector<ode::Status> status_;
  std::vector<std::size_t> taken_;
  std::vector<std::pair<std::size_t, double>> failed_at_;
  std::vector<at::Tensor> states_;
  std::int64_t tries_ = 0;
};

}  // namespace

Integration integrate(const Slope& f, const at::Tensor& y0, const Schedule& schedule,
                      const OdeintOptions& options, bool joint, bool keep_states) {
  const at::NoGradGuard no_grad;
  return Solve(f, y0.detach(), schedule, options, joint, keep_states).run();
}

}  // namespace stillpoint::detail
