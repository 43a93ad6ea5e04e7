#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <vector>

#include "ode/problem.h"
#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

/// Where in a step an event happens: at this fraction of it.
struct Crossed {
  std::size_t event;
  double fraction;
};

/// Looks for events in accepted steps, for each sample by itself.
class EventWatch {
 public:
  /// A time as f gets it, `[B, 1, …]`, and the state then.
  struct Moment {
    at::Tensor t;
    at::Tensor y;
  };
  /// The moment at a fraction of each sample's step.
  using Inside = std::function<Moment(const std::vector<double>& fractions)>;

  EventWatch(const std::vector<FlatEvent>& events, std::size_t batch);

  bool empty() const { return events_.empty(); }
  /// Begins anew from here, for these samples: at the start, after an event, after a jump.
  void begin(const Mask& which, const Moment& here);
  /// The earliest event in the steps of the samples that `moved`. `resolution` is the smallest fraction of
  /// each sample's step that counts.
  std::vector<std::optional<Crossed>> look(const Mask& moved, const Inside& inside,
                                           const std::vector<double>& resolution);

 private:
  // Of one event and one sample.
  struct Watched {
    double before = 0.0;     // the latest number that was not zero
    double from = 0.0;       // the fraction of the step from which it is watched
    bool unsettled = false;  // it starts from zero, so that its sign shows only on the way
    bool due = false;        // it happened together with the latest event
  };
  struct Bracket {
    bool found = false;
    double low = 0.0;
    double high = 0.0;
    double at_low = 0.0;
    double at_high = 0.0;
  };

  void settle(const Mask& moved, const Inside& inside);
  std::vector<Bracket> bracket(std::size_t event, const Mask& moved, const std::vector<Moment>& moments);
  void refine(std::size_t event, const Inside& inside, const std::vector<double>& resolution,
              std::vector<Bracket>& brackets) const;

  const std::vector<FlatEvent>& events_;
  std::vector<std::vector<Watched>> watched_;  // by event, then sample
};

}  // namespace stillpoint::detail
