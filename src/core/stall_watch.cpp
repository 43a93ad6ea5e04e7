#include "stillpoint/core/stall_watch.h"

namespace stillpoint {

void StallWatch::give_up(std::int64_t from, std::int64_t window) {
  patience_ = window;
  parks_ = false;
  count_from(from, window, 0.99);
}

void StallWatch::park(std::int64_t from, std::int64_t window) {
  parks_ = true;
  count_from(from, window, 0.5);
}

void StallWatch::count_from(std::int64_t from, std::int64_t window, double factor) {
  window_ = window;
  factor_ = factor;
  from_ = from;
  mark_.clear();
}

}  // namespace stillpoint
