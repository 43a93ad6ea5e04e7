#pragma once

#include <chrono>
#include <optional>

namespace stillpoint {

/// A time after which work is to end; never, unless one is given.
class Deadline {
 public:
  Deadline() = default;
  /// This many seconds from now. A billion or more means never.
  explicit Deadline(double seconds);

  bool passed() const { return time_ && std::chrono::steady_clock::now() >= *time_; }

 private:
  std::optional<std::chrono::steady_clock::time_point> time_;
};

}  // namespace stillpoint
