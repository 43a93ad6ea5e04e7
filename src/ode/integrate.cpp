#include "ode/integrate.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "core/rows/rows.h"
#include "ode/carry.h"
#include "ode/clock.h"
#include "ode/control/first_step.h"
#include "ode/control/limits.h"
#include "ode/control/step_control.h"
#include "ode/event_watch.h"
#include "ode/recording.h"
#include "ode/samples.h"
#include "ode/stepper.h"

namespace stillpoint::detail {
namespace {

// Nothing is found more exactly than this fraction of a step.
constexpr double kLeastFraction = 1e-15;

class Solve {
 public:
  Solve(const Problem& problem, const at::Tensor& y0, const Schedule& schedule, const OdeintOptions& options,
        std::optional<std::int64_t> states, std::int64_t save_every)
      : problem_(problem),
        f_(problem.field),
        schedule_(schedule),
        options_(options),
        stepper_(problem.method, options.tolerance,
                 states.has_value() || !StepControl::estimates_errors(options.control)),
        keeps_states_(states.value_or(0) > 0),
        save_every_(static_cast<std::size_t>(save_every)),
        limits_(options.tolerance, y0.scalar_type()),
        joint_(!schedule.per_sample()),
        y_(y0),
        from_(y0),
        samples_(y0.size(0), joint_),
        anew_(y0.size(0), true),
        recording_(schedule, y0, joint_, states),
        watch_(problem.events, y0.size(0)),
        occurred_(problem.events.size(), std::vector<std::int64_t>(y0.size(0), 0)),
        which_(y0.size(0)) {}

  Integration run() {
    const auto begin = std::chrono::steady_clock::now();
    start();
    while (any_running()) {
      for (Clock& clock : clocks_) clock.choose(schedule_);
      attempt();
      if (options_.observer) options_.observer({tries_, samples_.times(clocks_), y_});
      const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
      if (options_.time_limit && spent.count() > *options_.time_limit) stop_all(ode::Status::TimeLimit);
    }
    return finish();
  }

 private:
  bool any_running() const {
    return std::any_of(clocks_.begin(), clocks_.end(), [](const Clock& clock) { return clock.running; });
  }

  void start() {
    const std::size_t count = schedule_.clocks();
    std::vector<double> first(count, 0.0);
    if (schedule_.outputs() > 1 && StepControl::estimates_errors(options_.control)) first = first_lengths();
    for (std::size_t n = 0; n < count; ++n) {
      clocks_.emplace_back(schedule_, n,
                           StepControl(options_.control, problem_.method.embedded_order(), first[n]));
      if (y_.size(0) == 0) clocks_[n].running = false;
    }
    watch(Mask(y_.size(0), true));
  }

  std::vector<double> first_lengths() {
    const auto& pid = std::get<ode::Pid>(options_.control);
    if (pid.first_step) return std::vector<double>(schedule_.clocks(), *pid.first_step);
    slope_ = f_(as_time(schedule_.starts(), joint_, y_), y_);
    return first_steps(f_, y_, slope_, schedule_, problem_.method.embedded_order(), limits_);
  }

  // Events are looked for from here on.
  void watch(const Mask& samples) {
    if (watch_.empty() || !samples.any()) return;
    watch_.begin(samples, {as_time(clock_times(), joint_, from_), from_});
  }

  Span span() const {
    std::vector<Place> starts;
    std::vector<Place> ends;
    for (const Clock& clock : clocks_) {
      starts.push_back(clock.at);
      ends.push_back(clock.aim);
    }
    return {schedule_, starts, ends};
  }

  void attempt() {
    ++tries_;
    const Span span = this->span();
    memory_ = stepper_.begin(f_, span, from_, anew_, memory_);
    anew_ = Mask(samples_.size());
    const Stages stages = stepper_.take(f_, span, from_, memory_, slope_, /*all=*/true);
    const std::vector<double> errors =
        stepper_.errors(span, from_, stages, limits_.absolute, limits_.relative);
    unsolved_ = stages.unsolved;
    Mask accepted(clocks_.size());
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      if (clocks_[n].running) accepted[n] = judge(n, span, errors);
    }
    if (accepted.any()) {
      move(span, stages, accepted);
    } else if (!stages.slopes.empty()) {
      slope_ = stages.slopes[0];
    }
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      if (clocks_[n].running && clocks_[n].accepted + clocks_[n].rejected >= options_.max_steps)
        stop(n, ode::Status::StepLimit);
    }
    if (!joint_) leave_out_finished();
  }

  void leave_out_finished() {
    Mask running(clocks_.size());
    for (std::size_t n = 0; n < clocks_.size(); ++n) running[n] = clocks_[n].running;
    f_.keep(running);
  }

  double error_of(std::size_t clock, const std::vector<double>& errors) const {
    if (!joint_) return errors[clock];
    double largest = 0.0;
    for (std::size_t b = 0; b < errors.size(); ++b) {
      if (!samples_.alive()[b]) continue;
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
      if (samples_.clock_of(b) != n || !samples_.alive()[b] || clock.control.accepts(errors[b])) continue;
      const bool unsolved = unsolved_.size() > 0 && unsolved_[b];
      const auto why = std::isfinite(errors[b]) ? ode::Status::StepTooSmall : ode::Status::NotFinite;
      give_up(b, unsolved ? ode::Status::StagesNotFound : why);
    }
    clock.control.forget_rejections();
    return false;
  }

  void give_up(std::size_t sample, ode::Status why) {
    const std::size_t n = samples_.clock_of(sample);
    samples_.fail(sample, why, recording_.steps(n), clocks_[n].time);
    if (!joint_ || !samples_.alive().any()) clocks_[n].running = false;
  }

  void stop(std::size_t clock, ode::Status why) {
    for (std::size_t b = 0; b < samples_.size(); ++b) {
      if (samples_.clock_of(b) == clock && samples_.alive()[b]) give_up(b, why);
    }
  }

  void stop_all(ode::Status why) {
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      if (clocks_[n].running) stop(n, why);
    }
  }

  void move(const Span& span, const Stages& stages, const Mask& accepted) {
    const Mask moving = samples_.alive(accepted);
    const std::vector<std::optional<EventHit>> hits = look(span, stages, moving);
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      if (!accepted[n]) continue;
      recording_.add(
          n, {.start = clocks_[n].at, .end = clocks_[n].aim, .event = hits.empty() ? std::nullopt : hits[n]});
    }
    if (keeps_states_) recording_.remember(moving, carried());
    write_outputs(span, stages, moving, accepted);
    if (problem_.each_step) {
      problem_.each_step({span, moving, stages.slopes,
                          [&](const std::vector<double>& times) { return inside(span, stages, times); }});
    }
    at::Tensor next = moving.all() ? stages.next : select_rows(moving, stages.next, y_);
    const Mask hit = marked(hits);
    if (hit.any()) next = select_rows(hit, happen(span, stages, hits, hit), next);
    keep_slope(stages, moving);
    for (std::size_t i = 0; i < memory_.size(); ++i)
      memory_[i] =
          moving.all() ? stages.next_memory[i] : select_rows(moving, stages.next_memory[i], memory_[i]);
    y_ = next;
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      if (accepted[n]) clocks_[n].advance(schedule_, hits.empty() ? std::nullopt : hits[n]);
    }
    if (save_every_ > 0) recording_.save(save_every_, moving, carried());
    arrive(moving, hit);
  }

  // The slope where the next step starts, if it is known.
  void keep_slope(const Stages& stages, const Mask& moving) {
    if (!stepper_.first_same_as_last()) {
      slope_ = at::Tensor();
    } else {
      slope_ =
          moving.all() ? stages.slopes.back() : select_rows(moving, stages.slopes.back(), stages.slopes[0]);
    }
  }

  // Where events or jumps have changed the state or f, the next step starts from what they left.
  void arrive(const Mask& moved, const Mask& hit) {
    from_ = y_;
    Mask at_jump(samples_.size());
    Mask anew = hit.size() > 0 ? hit : at_jump;
    for (std::size_t b = 0; b < at_jump.size(); ++b) {
      at_jump[b] = clocks_[samples_.clock_of(b)].is_at_jump(schedule_);
      anew[b] |= at_jump[b] & moved[b];
    }
    if (problem_.jump && at_jump.any()) {
      std::vector<std::int64_t> columns;
      for (const Clock& clock : clocks_)
        columns.push_back(clock.is_at_jump(schedule_) ? clock.at.from - schedule_.outputs() : -1);
      const at::Tensor t = as_time(clock_times(), joint_, y_);
      from_ = select_rows(at_jump, problem_.jump(columns, t, y_), y_);
    }
    if (!anew.any()) return;
    slope_ = at::Tensor();
    anew_ = anew;
    watch(anew);
  }

  // The events in the steps of these samples; empty if none is to be looked for.
  std::vector<std::optional<EventHit>> look(const Span& span, const Stages& stages, const Mask& moving) {
    if (watch_.empty()) return {};
    std::vector<double> resolution;
    for (std::size_t n = 0; n < clocks_.size(); ++n) {
      const double length = std::abs(span.end[n] - span.start[n]);
      const double time = std::max(std::abs(span.end[n]), std::abs(span.start[n]));
      const double least = 2.0 * std::numeric_limits<double>::epsilon() * time / length;
      resolution.push_back(std::isfinite(least) ? std::clamp(least, kLeastFraction, 1.0) : 1.0);
    }
    const auto moment = [&](const std::vector<double>& fractions) {
      std::vector<double> ends(fractions.size());
      for (std::size_t n = 0; n < ends.size(); ++n) ends[n] = within(span, n, fractions[n]);
      return EventWatch::Moment{as_time(ends, joint_, y_), inside(span, stages, ends)};
    };
    const std::vector<std::optional<Crossed>> crossed = watch_.look(moving, moment, resolution);
    std::vector<std::optional<EventHit>> hits(crossed.size());
    for (std::size_t b = 0; b < hits.size(); ++b) {
      if (crossed[b]) hits[b] = EventHit{crossed[b]->event, within(span, b, crossed[b]->fraction)};
    }
    return hits;
  }

  static double within(const Span& span, std::size_t n, double fraction) {
    return fraction == 1.0 ? span.end[n] : span.start[n] + fraction * (span.end[n] - span.start[n]);
  }

  static Mask marked(const std::vector<std::optional<EventHit>>& hits) {
    Mask mask(hits.size());
    for (std::size_t b = 0; b < hits.size(); ++b) mask[b] = hits[b].has_value();
    return mask;
  }

  // The states after the events that these samples come to.
  at::Tensor happen(const Span& span, const Stages& stages, const std::vector<std::optional<EventHit>>& hits,
                    const Mask& hit) {
    std::vector<double> ends = span.end;
    for (std::size_t b = 0; b < hits.size(); ++b) {
      if (hits[b]) ends[b] = hits[b]->time;
    }
    const at::Tensor y = inside(span, stages, ends);
    recording_.write_event(hit, ends, y);
    const at::Tensor t = as_time(ends, joint_, y);
    at::Tensor after = y;
    for (std::size_t e = 0; e < problem_.events.size(); ++e) {
      Mask own(hits.size());
      for (std::size_t b = 0; b < hits.size(); ++b) {
        own[b] = hits[b] && hits[b]->event == e;
        if (!own[b]) continue;
        which_[b].push_back(static_cast<std::int64_t>(e));
        if (++occurred_[e][b] != problem_.events[e].terminal) continue;
        samples_.end_by_event(b);
        clocks_[b].running = false;
      }
      const StateMap& then = problem_.events[e].then;
      if (then && own.any()) after = select_rows(own, then(t, y), after);
    }
    return after;
  }

  void write_outputs(const Span& span, const Stages& stages, const Mask& moving, const Mask& accepted) {
    for (std::size_t i = 0;; ++i) {
      std::vector<std::int64_t> columns(clocks_.size(), -1);
      std::vector<double> ends = span.end;
      bool at_end = true;
      for (std::size_t n = 0; n < clocks_.size(); ++n) {
        if (!accepted[n] || i >= recording_.latest(n).outputs.size()) continue;
        if (recording_.latest(n).outputs[i] >= schedule_.outputs()) continue;
        columns[n] = recording_.latest(n).outputs[i];
        ends[n] = schedule_.time(n, columns[n]);
        const Place& end = recording_.latest(n).end;
        at_end &= end.fraction == 1.0 && end.to == columns[n];
      }
      if (std::all_of(columns.begin(), columns.end(), [](std::int64_t k) { return k < 0; })) return;
      recording_.write(columns, at_end ? stages.next : inside(span, stages, ends), moving);
    }
  }

  // The states at these times inside the step.
  at::Tensor inside(const Span& span, const Stages& stages, const std::vector<double>& ends) const {
    Span output = span;
    output.end = ends;
    return stepper_.inside(f_, span, output, from_, stages, Mask(clocks_.size(), true));
  }

  at::Tensor carried() const {
    if (memory_.empty() && problem_.events.empty()) return y_;
    return Carry(y_, memory_, !problem_.events.empty()).pack(y_, memory_);
  }

  std::vector<double> clock_times() const {
    std::vector<double> times;
    for (const Clock& clock : clocks_) times.push_back(clock.time);
    return times;
  }

  Integration finish() {
    Integration found;
    found.stats.method = options_.method.name();
    found.stats.evaluations = f_.evaluations();
    found.stats.sample_evaluations = f_.sample_evaluations();
    stepper_.report(found.stats);
    samples_.write(found.stats, clocks_);
    const std::vector<std::size_t> taken = samples_.steps(clocks_);
    found.values = recording_.values();
    found.event_times = recording_.event_times();
    found.which = std::move(which_);
    found.end = carried();
    found.states = recording_.states(taken, found.end);
    found.every = recording_.every();
    found.memory = memory_;
    found.saved = recording_.saved();
    found.mesh = recording_.mesh(taken);
    return found;
  }

  const Problem& problem_;
  Slope f_;
  const Schedule& schedule_;
  const OdeintOptions& options_;
  Stepper stepper_;
  bool keeps_states_;
  std::size_t save_every_;
  Limits limits_;
  bool joint_;
  at::Tensor y_;                    // reached
  at::Tensor from_;                 // the same after the jump that is there
  at::Tensor slope_;                // at from_, if it is known
  std::vector<at::Tensor> memory_;  // of the method, there
  std::vector<Clock> clocks_;
  Samples samples_;
  Mask anew_;      // samples that the method has to begin with
  Mask unsolved_;  // in the latest step; empty for explicit methods
  Recording recording_;
  EventWatch watch_;
  std::vector<std::vector<std::int64_t>> occurred_;  // how often, by event and sample
  std::vector<std::vector<std::int64_t>> which_;
  std::int64_t tries_ = 0;
};

}  // namespace

Integration integrate(const Problem& problem, const at::Tensor& y0, const Schedule& schedule,
                      const OdeintOptions& options, std::optional<std::int64_t> states,
                      std::int64_t save_every) {
  const at::NoGradGuard no_grad;
  return Solve(problem, y0.detach(), schedule, options, states, save_every).run();
}

}  // namespace stillpoint::detail
