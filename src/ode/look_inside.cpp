#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <limits>
#include <list>
#include <memory>
#include <utility>

#include "core/rows/rows.h"
#include "ode/frozen_solve.h"

// A frozen solve between the ends of its steps.
namespace stillpoint::detail {
namespace {

constexpr std::size_t kStepsKept = 3;

}  // namespace

at::Tensor FrozenSolve::pick(const at::Tensor& carries, const Numbers& numbers) {
  std::vector<std::int64_t> index(numbers.begin(), numbers.end());
  if (index.size() == 1) return carries.select(1, index[0]);
  const at::Tensor rows =
      at::arange(carries.size(0), carries.options().dtype(at::kLong).requires_grad(false));
  return at::index(carries, {rows, at::tensor(index, at::kLong).to(carries.device())});
}

at::Tensor FrozenSolve::saved_times(const at::Tensor& shifts) const {
  const std::size_t batch = mesh_.taken.size();
  const auto column = [&](std::size_t taken, const std::vector<Place>& places, std::int64_t k) {
    const at::Tensor shift = shifts.defined() ? shifts.select(1, k) : at::Tensor();
    at::Tensor time = schedule_.at_places(places, shift).expand({static_cast<std::int64_t>(batch)});
    Mask came(batch);
    for (std::size_t b = 0; b < batch; ++b) came[b] = taken <= mesh_.taken[b];
    return came.all() ? time
                      : at::where(to_mask(came, time), time,
                                  at::full_like(time, std::numeric_limits<double>::quiet_NaN()).detach());
  };
  std::vector<Place> places;
  for (std::size_t n = 0; n < mesh_.clocks.size(); ++n) places.push_back(place(n, 0, /*end=*/false));
  State times{column(0, places, 0)};
  for (std::size_t number = 0; number < steps_; ++number) {
    if (!saves(number)) continue;
    for (std::size_t n = 0; n < places.size(); ++n) {
      const MeshStep* step = at(n, number);
      places[n] =
          step != nullptr && step->event
              ? Place{.from = Place::kEvent, .to = step->end.to, .fraction = 0.0, .event = step->event->time}
              : place(n, number, /*end=*/true);
    }
    times.push_back(column(number + 1, places, static_cast<std::int64_t>(times.size())));
  }
  return at::stack(times, 1);
}

std::pair<double, double> FrozenSolve::range(std::size_t clock) const {
  return {schedule_.time(clock, 0), schedule_.time(clock, schedule_.outputs() - 1)};
}

Mask FrozenSolve::came(const Numbers& numbers, const std::vector<double>& times) const {
  Mask came(mesh_.taken.size());
  for (std::size_t b = 0; b < came.size(); ++b) {
    const std::size_t n = mesh_.clock_of(b);
    const MeshStep* step = at(n, numbers[n]);
    const double start = schedule_.time(n, 0);
    const double reached = step == nullptr ? start : end_of(n, *step);
    const bool beyond = schedule_.direction(n) * (times[n] - reached) > 0.0;
    came[b] = times[n] == start || (numbers[n] < mesh_.taken[b] && !beyond);
  }
  return came;
}

std::vector<std::size_t> FrozenSolve::steps_at(const std::vector<double>& times) const {
  std::vector<std::size_t> numbers;
  for (std::size_t n = 0; n < mesh_.clocks.size(); ++n) {
    const double sign = schedule_.direction(n);
    const auto ends_before = [&](const MeshStep& step, double time) {
      return sign * end_of(n, step) < sign * time;
    };
    const auto& steps = mesh_.clocks[n];
    const auto found = std::lower_bound(steps.begin(), steps.end(), times[n], ends_before);
    const auto number = static_cast<std::size_t>(found - steps.begin());
    numbers.push_back(steps.empty() ? 0 : std::min(number, steps.size() - 1));
  }
  return numbers;
}

FrozenSolve::Inside FrozenSolve::enter(const Numbers& numbers, const at::Tensor& carry) const {
  const at::Tensor shift = carry_.shift(carry);
  const Slope f(problem_->field, /*independent=*/true);
  const Stepper stepper(problem_->method, problem_->tolerance);
  const Span whole = span(numbers, shift, /*recorded=*/true);
  const at::Tensor y = jump(numbers, carry_.state(carry), shift);
  const State memory = stepper.begin(f, whole, y, anew(numbers), carry_.memory(carry));
  return {whole, y, stepper.take(f, whole, y, memory, {}, /*all=*/true)};
}

at::Tensor FrozenSolve::look(const Inside& step, const std::vector<double>& times,
                             const at::Tensor& recorded) const {
  Span output = step.whole;
  output.end = times;
  output.end_at = recorded;
  const Slope f(problem_->field, /*independent=*/true);
  return Stepper(problem_->method, problem_->tolerance)
      .inside(f, step.whole, output, step.y, step.stages, Mask(times.size(), true));
}

std::function<at::Tensor(const at::Tensor& t)> FrozenSolve::between(const at::Tensor& carries) const {
  // The steps entered last: a solve on its way back evaluates on both sides of an end.
  struct Entered {
    Numbers numbers;
    Inside step;
  };
  const auto entered = std::make_shared<std::list<Entered>>();
  return [this, carries, entered](const at::Tensor& t) {
    const std::size_t count = clocks();
    const at::Tensor time = t.reshape(is_joint() ? at::IntArrayRef{} : at::IntArrayRef{-1}).to(at::kDouble);
    std::vector<double> times = to_host(time.detach());
    if (times.size() == 1) times.resize(count, times[0]);
    for (std::size_t n = 0; n < count; ++n) {
      const auto [first, last] = range(n);
      times[n] = std::clamp(times[n], std::min(first, last), std::max(first, last));
    }
    const Numbers numbers = steps_at(times);
    // The argument may have been rounded to the state's dtype, and out of the range.
    at::Tensor exact = at::tensor(times, at::kDouble).to(time.device());
    if (is_joint()) exact = exact.select(0, 0);
    exact = time + (exact - time).detach();
    // What is recorded belongs to the evaluation that records it.
    if (at::GradMode::is_enabled()) return look(enter(numbers, pick(carries, numbers)), times, exact);
    auto found = std::find_if(entered->begin(), entered->end(),
                              [&](const Entered& step) { return step.numbers == numbers; });
    if (found == entered->end()) {
      entered->push_front({numbers, enter(numbers, pick(carries, numbers))});
      if (entered->size() > kStepsKept) entered->pop_back();
      found = entered->begin();
    }
    return look(found->step, times, exact);
  };
}

}  // namespace stillpoint::detail
