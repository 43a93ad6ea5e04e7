#pragma once

namespace stillpoint::app {

/// Thrown at the next safe point after Ctrl-C. The exit status is 130.
struct Interrupted {};

/// From now on Ctrl-C asks for a clean end; a second one kills the program as usual.
void catch_interrupts();

/// A safe point: throws Interrupted if Ctrl-C was pressed.
void stop_if_interrupted();

}  // namespace stillpoint::app
