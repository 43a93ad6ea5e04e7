#include "ode/span.h"

namespace stillpoint::detail {

Span::Span(const Schedule& schedule, const std::vector<Place>& starts, const std::vector<Place>& ends)
    : joint(!schedule.per_sample()) {
  for (std::size_t n = 0; n < starts.size(); ++n) {
    start.push_back(schedule.time(n, starts[n]));
    end.push_back(schedule.time(n, ends[n]));
    if (!schedule.has_jumps()) continue;
    told_start.push_back(schedule.told(n, starts[n]));
    told_end.push_back(schedule.told(n, ends[n]));
  }
}

Span::Span(const Schedule& schedule, const std::vector<Place>& starts, const std::vector<Place>& ends,
           const at::Tensor& shift)
    : Span(schedule, starts, ends) {
  start_at = schedule.at_places(starts, shift);
  end_at = schedule.at_places(ends, shift);
}

}  // namespace stillpoint::detail
