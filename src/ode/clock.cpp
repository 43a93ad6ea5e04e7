#include "ode/clock.h"

#include <algorithm>
#include <cmath>

namespace stillpoint::detail {

Clock::Clock(const Schedule& schedule, std::size_t n, const StepControl& chosen)
    : control(chosen),
      number(n),
      at{.from = 0, .to = std::max<std::int64_t>(schedule.next_stop(n, 0), 0)},
      time(schedule.time(n, 0)),
      running(schedule.outputs() > 1) {}

void Clock::choose(const Schedule& schedule) {
  aim = at;
  if (!running) return;
  Place begin = at;
  begin.fraction = 0.0;
  const double to = schedule.time(number, at.to);
  const double way = std::abs(to - schedule.time(number, begin));
  const double remaining = std::abs(to - time);
  const double length = control.propose(remaining, time);
  aim.fraction = length >= remaining ? 1.0 : at.fraction + length / way;
}

void Clock::advance(const Schedule& schedule, const std::optional<EventHit>& hit) {
  ++accepted;
  if (hit) {
    time = hit->time;
    at = {.from = Place::kEvent, .to = aim.to, .fraction = 0.0, .event = hit->time};
    return;
  }
  time = schedule.time(number, aim);
  at = aim;
  if (at.fraction < 1.0) return;
  const std::int64_t next = schedule.next_stop(number, at.to);
  running = next >= 0;
  if (running) at = {.from = at.to, .to = next, .fraction = 0.0};
}

bool Clock::is_at_jump(const Schedule& schedule) const {
  return running && at.fraction == 0.0 && at.from >= 0 && schedule.is_jump(at.from);
}

}  // namespace stillpoint::detail
