#pragma once

#include <string>

namespace stillpoint::app {

/// The exit status after Ctrl-C.
inline constexpr int kInterrupted = 130;

/// Thrown at the next safe point after Ctrl-C.
struct Interrupted {};

/// From now on Ctrl-C asks for a clean end; a second one kills the program as usual. `message` is for
/// EndAtOnce.
void catch_interrupts(const std::string& message);

/// A safe point: throws Interrupted if Ctrl-C was pressed.
void stop_if_interrupted();

/// A safe point that lasts as long as it lives: Ctrl-C shows the message and ends the program, whatever is
/// being computed. For work that leaves nothing half done.
class EndAtOnce {
 public:
  EndAtOnce();
  ~EndAtOnce();
  EndAtOnce(const EndAtOnce&) = delete;
  EndAtOnce& operator=(const EndAtOnce&) = delete;
};

}  // namespace stillpoint::app
