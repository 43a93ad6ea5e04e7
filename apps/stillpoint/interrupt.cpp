#include "interrupt.h"

#include <unistd.h>

#include <csignal>

namespace stillpoint::app {
namespace {

volatile std::sig_atomic_t interrupted = 0;
volatile std::sig_atomic_t at_once = 0;
std::string last_line;

void handle_interrupt(int) {
  if (at_once != 0) {
    [[maybe_unused]] const auto written = write(STDERR_FILENO, last_line.data(), last_line.size());
    _exit(kInterrupted);
  }
  interrupted = 1;
}

}  // namespace

void catch_interrupts(const std::string& message) {
  last_line = "stillpoint: " + message + "\n";
  struct sigaction action = {};
  action.sa_handler = handle_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
}

void stop_if_interrupted() {
  if (interrupted != 0) {
    throw Interrupted{};
  }
}

EndAtOnce::EndAtOnce() {
  at_once = 1;
  if (interrupted != 0) {
    at_once = 0;
    throw Interrupted{};
  }
}

EndAtOnce::~EndAtOnce() { at_once = 0; }

}  // namespace stillpoint::app
