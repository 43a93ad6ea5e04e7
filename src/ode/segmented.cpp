#include "ode/segmented.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "core/rows/rows.h"
#include "ode/carry.h"
#include "ode/event_time.h"
#include "ode/freeze.h"
#include "ode/frozen_solve.h"
#include "ode/segment.h"
#include "ode/stepper.h"
#include "stillpoint/ode/methods/runge_kutta.h"

namespace stillpoint::detail {
namespace {

using End = Segment::End;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

at::Tensor as_numbers(const std::vector<double>& numbers, bool joint, const at::Tensor& like) {
  const at::Tensor all = at::tensor(numbers, at::kDouble).to(like.device());
  return joint ? all.select(0, 0) : all;
}

at::Tensor clamped(const at::Tensor& t, const at::Tensor& least, const at::Tensor& most) {
  const at::Tensor now = t.detach();
  const auto like = [&](const at::Tensor& bound) {
    return bound.to(t.scalar_type()).reshape(t.dim() == 0 ? at::IntArrayRef{} : t.sizes());
  };
  return t + (at::minimum(at::maximum(now, like(least)), like(most)) - now);
}

// f with times that stay between these, one for the batch or one a sample.
ode::VectorField between_times(const ode::VectorField& f, const at::Tensor& least, const at::Tensor& most) {
  ode::VectorField field = f;
  if (!f.divisible) {
    field.slope = [=](const at::Tensor& t, const at::Tensor& y) {
      return f.slope(clamped(t, least, most), y);
    };
    return field;
  }
  const bool joint = least.dim() == 0;
  if (!joint) field.inputs.insert(field.inputs.end(), {least, most});
  field.divisible = [=](const at::Tensor& t, const at::Tensor& y, const State& inputs) {
    if (joint) return f.divisible(clamped(t, least, most), y, inputs);
    const auto given = static_cast<std::ptrdiff_t>(inputs.size() - 2);
    const State own(inputs.begin(), inputs.begin() + given);
    return f.divisible(clamped(t, inputs[given], inputs[given + 1]), y, own);
  };
  return field;
}

// The segments one after another: each is attached to the end of the one before it, through the jump or the
// event between them.
class Chain {
 public:
  Chain(const std::shared_ptr<const Problem>& problem, const at::Tensor& y0, const Schedule& schedule,
        const OdeintOptions& options, Integration& found)
      : problem_(problem),
        schedule_(schedule),
        options_(options),
        found_(found),
        segments_(segments_of(found.mesh, schedule, found.stats)),
        joint_(!schedule.per_sample()),
        carry_(y0, {}, !problem->events.empty()),
        y_(y0),
        failed_(y0.size(0)),
        reached_(schedule.outputs(), Mask(y0.size(0))) {
    options_.events.clear();
    options_.jumps = {};
    const at::Tensor start = carry_.pack(y0);
    const at::Tensor nothing = at::full_like(start, std::numeric_limits<double>::quiet_NaN()).detach();
    columns_.resize(found.values.size(1), nothing);
    columns_[0] = start;
    time_ = schedule.at_places(std::vector<Place>(schedule.clocks()), {});
    if (!found.saved.empty()) saved_ = at::stack(found.saved, 1);
    report_.status.resize(y0.size(0));
  }

  at::Tensor run() {
    for (std::size_t s = 0; s < segments_[0].size(); ++s) {
      enter(s);
      attach();
      collect();
      leave(s + 1 == segments_[0].size());
    }
    at::Tensor all = at::stack(columns_, 1);
    if (all.requires_grad()) found_.stats.backward = report_.backward;
    return all;
  }

 private:
  std::size_t batch() const { return failed_.size(); }
  const Segment& of_sample(std::size_t b) const { return now_[joint_ ? 0 : b]; }
  Mask samples(End end) const {
    Mask mask(batch());
    for (std::size_t b = 0; b < batch(); ++b) mask[b] = of_sample(b).end == end && !dead_[b];
    return mask;
  }
  Mask clocks(End end) const {
    Mask mask(now_.size());
    for (std::size_t n = 0; n < mask.size(); ++n) mask[n] = now_[n].end == end;
    return mask;
  }
  // Of times, one a clock.
  at::Tensor choose(const Mask& clocks, const at::Tensor& chosen, const at::Tensor& other) const {
    if (clocks.all()) return chosen;
    return clocks.any() ? at::where(to_mask(clocks, other), chosen, other) : other;
  }
  static at::Tensor choose_rows(const Mask& mark, const at::Tensor& chosen, const at::Tensor& other) {
    if (mark.all()) return chosen;
    return mark.any() ? at::where(to_mask(mark, other), chosen, other) : other;
  }

  void enter(std::size_t s) {
    number_ = s;
    now_.clear();
    for (const auto& segments : segments_) now_.push_back(segments[s]);
    dead_ = Mask(batch());
    for (std::size_t b = 0; b < batch(); ++b)
      dead_[b] = of_sample(b).end == End::Fail || found_.mesh.taken[b] < of_sample(b).last;
    find_outputs();
    end_time_ = end_time();
    end_ = end_state();
  }

  // Which samples have which outputs in this segment.
  void find_outputs() {
    here_.assign(schedule_.outputs(), Mask(batch()));
    outputs_.clear();
    for (std::size_t b = 0; b < batch(); ++b) {
      const Segment& segment = of_sample(b);
      const auto& steps = found_.mesh.clocks[found_.mesh.clock_of(b)];
      for (std::size_t i = segment.first; i < std::min(segment.last, found_.mesh.taken[b]); ++i) {
        for (const std::int64_t k : steps[i].outputs) {
          if (k < schedule_.outputs()) here_[k][b] = reached_[k][b] = 1;
        }
      }
    }
    for (std::int64_t k = 1; k < schedule_.outputs(); ++k) {
      if (here_[k].any()) outputs_.push_back(k);
    }
  }

  at::Tensor hard_times(const std::vector<std::int64_t>& columns) const {
    std::vector<Place> places;
    places.reserve(columns.size());
    for (const std::int64_t column : columns) places.push_back({.from = column, .to = column});
    return schedule_.at_places(places, {});
  }

  // Differentiable at jumps and at the last output; that of an event is a constant, which `leave` moves.
  at::Tensor end_time() const {
    std::vector<std::int64_t> columns;
    std::vector<double> times;
    for (const Segment& segment : now_) {
      columns.push_back(segment.column);
      times.push_back(segment.time);
    }
    const at::Tensor known = as_numbers(times, joint_, y_);
    Mask hard = clocks(End::Jump);
    const Mask last = clocks(End::Last);
    for (std::size_t n = 0; n < hard.size(); ++n) hard[n] |= last[n];
    const at::Tensor ends = hard.any() ? choose(hard, hard_times(columns), known) : known;
    return choose(clocks(End::None), time_, ends);
  }

  // As it was found: NaN where a sample did not come.
  at::Tensor end_state() const {
    std::vector<std::size_t> last;
    std::vector<std::int64_t> column(batch(), schedule_.outputs() - 1);
    Mask is_saved(batch());
    for (std::size_t b = 0; b < batch(); ++b) {
      const Segment& segment = of_sample(b);
      is_saved[b] = segment.end == End::Jump;
      last.push_back(is_saved[b] ? segment.last - 1 : 0);
      if (segment.end == End::Event) column[b] = schedule_.outputs() + segment.happened;
    }
    const at::Tensor index = at::tensor(column, at::kLong).to(y_.device());
    const at::Tensor rows = at::arange(y_.size(0), index.options());
    at::Tensor end = at::index(found_.values, {rows, index});
    if (is_saved.any()) end = choose_rows(is_saved, saved_states(last), end);
    Mask stands(batch());
    for (std::size_t b = 0; b < batch(); ++b) stands[b] = of_sample(b).end == End::None;
    return choose_rows(stands, y_.detach(), end);
  }

  at::Tensor saved_states(const std::vector<std::size_t>& numbers) const {
    const std::vector<std::int64_t> index(numbers.begin(), numbers.end());
    const at::Tensor column = at::tensor(index, at::kLong).to(y_.device());
    const at::Tensor rows = at::arange(y_.size(0), column.options());
    return carry_.state(at::index(saved_, {rows, column}));
  }

  // Columns of the segment are where it starts, its outputs, and where it ends. An output that a sample has
  // elsewhere is put on one of its ends.
  void attach() {
    State times{time_};
    State values{y_.detach()};
    for (const std::int64_t k : outputs_) {
      const auto [time, value] = column(k);
      times.push_back(time);
      values.push_back(value);
    }
    times.push_back(end_time_);
    values.push_back(end_);
    const Schedule schedule(at::stack(times, -1), {}, y_.size(0), !joint_, /*stop_at_outputs=*/false,
                            y_.options());
    const Mesh mesh = this->mesh(schedule);
    const bool saves = options_.gradient.saves_steps();
    if (saves) add_step_ends(mesh, values);
    part_ = std::make_shared<const Problem>(Problem{field(), problem_->method});
    const auto solve = std::make_shared<const FrozenSolve>(part_, schedule, Carry(y_, {}, false), mesh,
                                                           /*save_every=*/saves ? 1 : 0);
    Integration found;
    found.end = end_;
    const at::Tensor start = y_.contiguous();
    ode::Frozen frozen =
        freeze(solve, Carry(y_, {}, false), start, at::stack(values, 1), schedule.times(), found);
    for (std::size_t b = 0; b < batch(); ++b)
      report_.status[b] = dead_[b] ? ode::Status::NotFinite : ode::Status::Finished;
    add_equation(frozen, *solve, *part_, options_, report_);
    // Of a sample that takes fewer steps, the others are put on its end.
    const at::Tensor end = end_time_.unsqueeze(-1);
    frozen.column_times = at::where(frozen.column_times.isnan(), end, frozen.column_times);
    frozen.segment = number_;
    frozen.reported = reported_;
    attached_ = options_.gradient.differentiate(frozen);
  }

  std::pair<at::Tensor, at::Tensor> column(std::int64_t k) const {
    Mask own(now_.size());
    Mask before(now_.size());
    for (std::size_t b = 0; b < batch(); ++b) own[joint_ ? 0 : b] |= here_[k][b];
    const std::vector<double> starts = to_host(time_.detach().reshape({-1}));
    for (std::size_t n = 0; n < now_.size(); ++n) {
      const double sign = schedule_.direction(n);
      before[n] = sign * schedule_.time(n, k) <= sign * starts[n];
    }
    const std::vector<std::int64_t> columns(now_.size(), k);
    const at::Tensor time = choose(own, hard_times(columns), choose(before, time_, end_time_));
    Mask rows_before(batch());
    for (std::size_t b = 0; b < batch(); ++b) rows_before[b] = before[joint_ ? 0 : b];
    const at::Tensor elsewhere = choose_rows(rows_before, y_.detach(), end_);
    return {time, choose_rows(here_[k], found_.values.select(1, k), elsewhere)};
  }

  // The accepted steps of the segment, as fractions of it. An event ends the last one.
  Mesh mesh(const Schedule& schedule) const {
    Mesh mesh;
    mesh.columns = schedule.outputs();
    mesh.joint = joint_;
    const std::int64_t last = schedule.outputs() - 1;
    for (std::size_t n = 0; n < now_.size(); ++n) {
      const Segment& segment = now_[n];
      const double start = schedule.time(n, std::int64_t{0});
      const double way = schedule.time(n, last) - start;
      std::vector<MeshStep>& steps = mesh.clocks.emplace_back();
      double reached = 0.0;
      for (std::size_t i = segment.first; i < segment.last; ++i) {
        const double end = schedule_.time(n, found_.mesh.clocks[n][i].end);
        const bool whole = way == 0.0 || (i + 1 == segment.last && segment.end != End::Fail);
        const double fraction = whole ? 1.0 : (end - start) / way;
        steps.push_back({.start = {.from = 0, .to = last, .fraction = reached},
                         .end = {.from = 0, .to = last, .fraction = fraction}});
        reached = fraction;
      }
    }
    for (std::size_t b = 0; b < batch(); ++b) {
      const Segment& segment = of_sample(b);
      mesh.taken.push_back(std::clamp(found_.mesh.taken[b], segment.first, segment.last) - segment.first);
    }
    return mesh;
  }

  void add_step_ends(const Mesh& mesh, State& values) const {
    std::size_t most = 0;
    for (const auto& steps : mesh.clocks) most = std::max(most, steps.size());
    for (std::size_t i = 0; i < most; ++i) {
      std::vector<std::size_t> numbers;
      Mask inside(batch());
      for (std::size_t b = 0; b < batch(); ++b) {
        const Segment& segment = of_sample(b);
        const std::size_t number = segment.first + i;
        inside[b] = number + (segment.end == End::Fail ? 0 : 1) < segment.last;
        numbers.push_back(inside[b] ? number : 0);
      }
      values.push_back(inside.any() ? choose_rows(inside, saved_states(numbers), end_) : end_);
    }
  }

  // f, told on which side of a jump it is.
  ode::VectorField field() const {
    std::vector<double> least(now_.size(), -kInfinity);
    std::vector<double> most(now_.size(), kInfinity);
    bool any = false;
    for (std::size_t n = 0; n < now_.size(); ++n) {
      const Segment& segment = now_[n];
      const bool rises = schedule_.direction(n) > 0.0;
      if (segment.start.from >= 0 && schedule_.is_jump(segment.start.from)) {
        (rises ? least : most)[n] = schedule_.told(n, segment.start);
        any = true;
      }
      if (segment.end == End::Jump) {
        const Place end{.from = segment.column, .to = segment.column, .fraction = 1.0};
        (rises ? most : least)[n] = schedule_.told(n, end);
        any = true;
      }
    }
    if (!any || !problem_->field.takes_time) return problem_->field;
    return between_times(problem_->field, as_numbers(least, joint_, y_), as_numbers(most, joint_, y_));
  }

  void write(std::int64_t column, const Mask& rows, const at::Tensor& carry) {
    columns_[column] = choose_rows(rows, carry, columns_[column]);
  }

  void collect() {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const std::int64_t k = outputs_[i];
      write(k, here_[k], carry_.pack(attached_.select(1, 1 + static_cast<std::int64_t>(i))));
    }
    last_ = attached_.select(1, 1 + static_cast<std::int64_t>(outputs_.size()));
    // What a sample that fails here did not reach belongs here, too, so that its gradient is not zero.
    for (std::int64_t k = 1; k < schedule_.outputs(); ++k) {
      Mask lost(batch());
      for (std::size_t b = 0; b < batch(); ++b) lost[b] = dead_[b] && !failed_[b] && !reached_[k][b];
      if (lost.any()) write(k, lost, carry_.pack(last_));
    }
    for (std::size_t b = 0; b < batch(); ++b) failed_[b] |= dead_[b];
  }

  // Through the events and jumps to where the next segment starts. Samples that stand still keep a state that
  // they had, since their values must be finite.
  void leave(bool is_over) {
    const Mask hit = samples(End::Event);
    const Mask jumps = samples(End::Jump);
    Mask moves = hit;
    for (std::size_t b = 0; b < batch(); ++b) moves[b] |= jumps[b];
    const at::Tensor reached = choose_rows(moves, last_, y_.detach());
    at::Tensor next = reached;
    time_ = choose(clocks(End::Jump), end_time_, end_time_.detach());
    if (hit.any()) next = happen(hit, reached, is_over);
    if (is_over) return;
    if (problem_->jump && jumps.any()) next = choose_rows(jumps, jump(reached), next);
    y_ = next;
  }

  at::Tensor jump(const at::Tensor& y) const {
    std::vector<std::int64_t> columns;
    for (const Segment& segment : now_)
      columns.push_back(segment.end == End::Jump ? segment.column - schedule_.outputs() : -1);
    return problem_->jump(columns, against(end_time_, y), y);
  }

  // Moves the ends of segments to the events there, and says what becomes of the state. The way is a step of
  // no length.
  at::Tensor happen(const Mask& hit, const at::Tensor& reached, bool is_over) {
    Span step;
    step.joint = false;
    std::vector<std::size_t> events;
    for (std::size_t b = 0; b < batch(); ++b) {
      step.start.push_back(now_[b].time);
      events.push_back(hit[b] ? now_[b].event : problem_->events.size());
    }
    step.end = step.start;
    const at::Tensor found = as_numbers(step.start, /*joint=*/false, y_);
    step.start_at = found;
    const auto state_at = [step, reached, part = part_](const at::Tensor& times) {
      static const ode::Method method = ode::Tsit5{};
      Span whole = step;
      whole.end_at = times;
      const Slope f(part->field, /*independent=*/true);
      return Stepper(method).take(f, whole, reached, {}, {}, /*all=*/false).next;
    };
    const at::Tensor moved = shift_of_events(problem_, events, found, state_at);
    const at::Tensor shift = at::where(to_mask(hit, moved), moved, at::zeros_like(moved));
    const at::Tensor times = found + shift;
    at::Tensor y = state_at(times);
    write_events(hit, carry_.pack(y, {}, shift));
    time_ = choose(hit, times, time_);
    if (is_over) return y;
    at::Tensor after = choose_rows(hit, y, reached);
    for (std::size_t e = 0; e < problem_->events.size(); ++e) {
      Mask own(batch());
      for (std::size_t b = 0; b < batch(); ++b) own[b] = events[b] == e;
      const StateMap& then = problem_->events[e].then;
      if (then && own.any()) after = choose_rows(own, then(against(times, y), y), after);
    }
    return after;
  }

  void write_events(const Mask& hit, const at::Tensor& carry) {
    const auto outputs = schedule_.outputs();
    for (std::int64_t k = outputs; k < static_cast<std::int64_t>(columns_.size()); ++k) {
      Mask own(batch());
      for (std::size_t b = 0; b < batch(); ++b) own[b] = hit[b] && outputs + now_[b].happened == k;
      if (own.any()) write(k, own, carry);
    }
  }

  std::shared_ptr<const Problem> problem_;
  const Schedule& schedule_;
  OdeintOptions options_;  // of the segments
  Integration& found_;
  Segments segments_;
  bool joint_;
  Carry carry_;
  at::Tensor saved_;           // `[B, S, …]`, carries
  at::Tensor y_;               // where the segment starts
  at::Tensor time_;            // then
  Mask failed_;                // samples
  std::vector<Mask> reached_;  // by output
  State columns_;
  ode::Stats report_;
  std::shared_ptr<std::size_t> reported_ = std::make_shared<std::size_t>(0);

  // Of the present segment:
  std::size_t number_ = 0;
  std::vector<Segment> now_;  // by clock
  Mask dead_;                 // samples that do not come to its end
  std::vector<Mask> here_;    // by output
  std::vector<std::int64_t> outputs_;
  at::Tensor end_time_;
  at::Tensor end_;
  std::shared_ptr<const Problem> part_;
  at::Tensor attached_;
  at::Tensor last_;  // where it ends, differentiable
};

}  // namespace

at::Tensor differentiate_by_segments(const std::shared_ptr<const Problem>& problem, const at::Tensor& y0,
                                     const Schedule& schedule, const OdeintOptions& options,
                                     Integration& found) {
  if (y0.size(0) == 0) {
    const Carry carry(y0, {}, !problem->events.empty());
    const at::Tensor start = carry.pack(y0);
    return at::stack(State(found.values.size(1), start), 1);
  }
  TORCH_CHECK(found.memory.empty(), "gradient: ode::", options.gradient.name(),
              " expects a method that remembers nothing between steps where there are events or jumps, got ",
              problem->method.name(), "; take a tableau, or ode::Discrete");
  return Chain(problem, y0, schedule, options, found).run();
}

}  // namespace stillpoint::detail
