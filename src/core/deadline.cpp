#include "stillpoint/core/deadline.h"

namespace stillpoint {

Deadline::Deadline(double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr double forever = 1e9;  // 30 years; the clock's own count ends at 300
  if (seconds >= forever) return;
  time_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace stillpoint
