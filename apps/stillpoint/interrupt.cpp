#include "interrupt.h"

#include <csignal>

namespace stillpoint::app {
namespace {
volatile std::sig_atomic_t interrupted = 0;
}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
}

void stop_if_interrupted() {
  if (interrupted != 0) {
    throw Interrupted{};
  }
}

}  // namespace stillpoint::app
