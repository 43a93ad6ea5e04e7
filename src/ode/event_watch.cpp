#include "ode/event_watch.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

constexpr std::size_t kPlaces = 8;
// A number that starts from zero is judged by what it is this far into the step.
constexpr double kOnTheWay = 1e-4;
// Halvings alone reach rounding in 60; secants need far fewer.
constexpr int kMostTries = 100;

bool crosses(ode::Crossing wanted, double before, double after) {
  const bool rises = before < 0.0 && after >= 0.0;
  const bool falls = before > 0.0 && after <= 0.0;
  return (rises && wanted != ode::Crossing::Falling) || (falls && wanted != ode::Crossing::Rising);
}

}  // namespace

EventWatch::EventWatch(const std::vector<FlatEvent>& events, std::size_t batch)
    : events_(events), watched_(events.size(), std::vector<Watched>(batch)) {}

void EventWatch::begin(const Mask& which, const Moment& here) {
  for (std::size_t e = 0; e < events_.size(); ++e) {
    const std::vector<double> now = to_host(events_[e].when(here.t, here.y));
    for (std::size_t b = 0; b < which.size(); ++b) {
      if (!which[b]) continue;
      watched_[e][b].before = now[b];
      watched_[e][b].unsettled |= now[b] == 0.0;
    }
  }
}

void EventWatch::settle(const Mask& moved, const Inside& inside) {
  std::optional<Moment> early;
  for (std::size_t e = 0; e < events_.size(); ++e) {
    std::vector<double> numbers;
    for (std::size_t b = 0; b < moved.size(); ++b) {
      Watched& watched = watched_[e][b];
      if (!moved[b]) continue;
      watched.from = watched.unsettled ? kOnTheWay : 0.0;
      if (!watched.unsettled) continue;
      if (!early) early = inside(std::vector<double>(moved.size(), kOnTheWay));
      if (numbers.empty()) numbers = to_host(events_[e].when(early->t, early->y));
      watched.before = numbers[b];
      watched.unsettled = false;
    }
  }
}

std::vector<EventWatch::Bracket> EventWatch::bracket(std::size_t event, const Mask& moved,
                                                     const std::vector<Moment>& moments) {
  std::vector<Bracket> brackets(moved.size());
  std::vector<double> reached;
  for (const Watched& watched : watched_[event]) reached.push_back(watched.from);
  for (std::size_t k = 0; k < moments.size(); ++k) {
    const std::vector<double> now = to_host(events_[event].when(moments[k].t, moments[k].y));
    const double here = static_cast<double>(k + 1) / static_cast<double>(moments.size());
    for (std::size_t b = 0; b < moved.size(); ++b) {
      Watched& watched = watched_[event][b];
      if (!moved[b] || brackets[b].found) continue;
      if (crosses(events_[event].crossing, watched.before, now[b])) {
        brackets[b] = {
            .found = true, .low = reached[b], .high = here, .at_low = watched.before, .at_high = now[b]};
      }
      if (now[b] != 0.0 && !std::isnan(now[b])) watched.before = now[b];
      reached[b] = here;
    }
  }
  return brackets;
}

// Regula falsi with halved ends (Illinois; Dowell, Jarratt 1971), kept a resolution away from them so that
// the bracket closes from both sides, and a halving wherever that is too slow. The event is the high end,
// which has crossed.
void EventWatch::refine(std::size_t event, const Inside& inside, const std::vector<double>& resolution,
                        std::vector<Bracket>& brackets) const {
  std::vector<double> tried(brackets.size(), 1.0);
  std::vector<double> width(brackets.size());
  std::vector<int> side(brackets.size(), 0);
  for (std::size_t b = 0; b < brackets.size(); ++b) width[b] = brackets[b].high - brackets[b].low;
  for (int number = 0; number < kMostTries; ++number) {
    Mask open(brackets.size());
    for (std::size_t b = 0; b < brackets.size(); ++b) {
      const Bracket& at = brackets[b];
      const double gap = at.high - at.low;
      open[b] = at.found && at.at_high != 0.0 && gap > resolution[b];
      if (!open[b]) continue;
      const double secant = at.high - at.at_high * gap / (at.at_high - at.at_low);
      const bool slow = number % 3 == 2 && gap > 0.5 * width[b];
      if (number % 3 == 2) width[b] = gap;
      const double edge = std::min(0.5 * resolution[b], 0.5 * gap);
      tried[b] = slow || !std::isfinite(secant) ? at.low + 0.5 * gap
                                                : std::clamp(secant, at.low + edge, at.high - edge);
      if (tried[b] <= at.low || tried[b] >= at.high) open[b] = 0;
    }
    if (!open.any()) return;
    const Moment moment = inside(tried);
    const std::vector<double> now = to_host(events_[event].when(moment.t, moment.y));
    for (std::size_t b = 0; b < brackets.size(); ++b) {
      if (!open[b]) continue;
      Bracket& at = brackets[b];
      const bool crossed = (now[b] < 0.0) != (at.at_low < 0.0) || now[b] == 0.0;
      if (crossed) {
        at.high = tried[b];
        at.at_high = now[b];
        if (side[b] > 0) at.at_low *= 0.5;
      } else {
        at.low = tried[b];
        at.at_low = now[b];
        if (side[b] < 0) at.at_high *= 0.5;
      }
      side[b] = crossed ? 1 : -1;
    }
  }
}

std::vector<std::optional<Crossed>> EventWatch::look(const Mask& moved, const Inside& inside,
                                                     const std::vector<double>& resolution) {
  std::vector<std::optional<Crossed>> first(moved.size());
  if (events_.empty()) return first;
  settle(moved, inside);
  std::vector<Moment> moments;
  for (std::size_t k = 1; k <= kPlaces; ++k) {
    const double fraction = static_cast<double>(k) / static_cast<double>(kPlaces);
    moments.push_back(inside(std::vector<double>(moved.size(), fraction)));
  }
  std::vector<std::vector<Bracket>> found;
  for (std::size_t e = 0; e < events_.size(); ++e) {
    found.push_back(bracket(e, moved, moments));
    refine(e, inside, resolution, found.back());
    for (std::size_t b = 0; b < moved.size(); ++b) {
      if (watched_[e][b].due && moved[b]) found[e][b] = {.found = true};
      if (!found[e][b].found) continue;
      if (!first[b] || found[e][b].high < first[b]->fraction) first[b] = Crossed{e, found[e][b].high};
    }
  }
  for (std::size_t b = 0; b < moved.size(); ++b) {
    if (!first[b]) continue;
    for (std::size_t e = 0; e < events_.size(); ++e) {
      const bool same_time =
          found[e][b].found && found[e][b].high - first[b]->fraction <= 2.0 * resolution[b];
      watched_[e][b].due = same_time && e != first[b]->event;
      watched_[e][b].unsettled = same_time;
    }
  }
  return first;
}

}  // namespace stillpoint::detail
