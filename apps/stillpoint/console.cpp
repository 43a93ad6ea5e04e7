#include "console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "show_number.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

constexpr const char* kClearLine = "\r\x1b[K";
// Lines of at most 80 columns.
constexpr auto kEpochRow = "{:17} {:>6} {:>7} {:>6} {:>5}  {:>7} {:>6} {:>5}  {:>7}";
constexpr auto kSummaryRow = "{:17} {:>6} {:>7} {:>7} {:>8} {:>7} {:>12} {:>8}";

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::size_t columns(std::FILE* terminal) {
  winsize size = {};
  const bool known = ioctl(fileno(terminal), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::string show_error(Task task, double error) {
  const bool number = task == Task::Numbers || task == Task::Signals || task == Task::Trajectories;
  return number ? decimal(error, 4) : fmt::format("{:.2f} %", 100 * error);
}

}  // namespace

void complain(const std::string& message) {
  std::fputs(("stillpoint: " + message + "\n").c_str(), stderr);
  std::fflush(stderr);
}

Console::Console(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) != 0) {}

void Console::clear_bar() {
  if (bar_) {
    std::fputs(kClearLine, out_);
    std::fflush(out_);
    bar_ = false;
  }
}

void Console::line(const std::string& text) {
  clear_bar();
  if (std::fputs((text + "\n").c_str(), out_) < 0 || std::fflush(out_) != 0) {
    throw UserError(fmt::format("cannot write to standard output: {}", std::strerror(errno)));
  }
}

void Console::epoch_header() {
  line("");
  line(fmt::format("{:25}{:^20}  {:^20}", "", "training", "test"));
  line(fmt::format(kEpochRow, "variant", "epoch", "error", "loss", "iter.", "error", "loss", "iter.",
                   "seconds"));
}

void Console::epoch(Task task, const std::string& variant, const Epoch& epoch, std::int64_t last) {
  const auto& [number, train, test, first_output] = epoch;
  line(fmt::format(kEpochRow, variant, fmt::format("{}/{}", number, last), show_error(task, train.error),
                   decimal(train.loss, 4), decimal(train.iterations, 1), show_error(task, test.error),
                   decimal(test.loss, 4), decimal(test.iterations, 1), decimal(train.seconds, 1)));
  if (train.unconverged + train.backward_unconverged + test.unconverged > 0) {
    line(fmt::format("  not converged: {} forward, {} backward, {} in test", grouped(train.unconverged),
                     grouped(train.backward_unconverged), grouped(test.unconverged)));
  }
}

void Console::summary(Task task, const std::vector<VariantResult>& results) {
  const bool text = task == Task::Characters;
  line("");
  line(fmt::format(kSummaryRow, "", "", text ? "bits a" : "test", "forward", "backward", "seconds",
                   "peak tensor", "gradient"));
  line(fmt::format(kSummaryRow, "variant", "epochs", text ? "char." : "error", "iter.", "iter.", "/ epoch",
                   "bytes a step", "error"));
  for (const auto& result : results) {
    const auto forward = result.forward_evaluations ? result.forward_evaluations : result.forward_iterations;
    const auto backward =
        result.backward_evaluations ? result.backward_evaluations : result.backward_iterations;
    line(fmt::format(kSummaryRow, result.name, result.epochs.size(),
                     text ? decimal(result.bits_per_character, 3) : show_error(task, result.test_error),
                     decimal(forward, 1), decimal(backward, 1), decimal(result.seconds_per_epoch, 2),
                     grouped(result.peak_bytes),
                     result.gradient_error ? fmt::format("{:.1e}", *result.gradient_error) : "-"));
  }
}

void Console::progress(const std::string& variant, std::int64_t epoch, std::int64_t last, double fraction,
                       const Pass& so_far) {
  progress(variant, epoch, last, fraction,
           fmt::format("loss {}  {} iterations", decimal(so_far.loss, 4), decimal(so_far.iterations, 1)));
}

void Console::progress(const std::string& variant, std::int64_t epoch, std::int64_t last, double fraction,
                       const std::string& so_far) {
  if (!terminal_ || now() - drawn_at_ < 0.1) {
    return;
  }
  drawn_at_ = now();
  const auto left = fmt::format("{:17} {:>6} ", variant, fmt::format("{}/{}", epoch, last));
  const auto right = fmt::format(" {:3.0f} %  {}", 100 * fraction, so_far);
  const auto room = columns(out_);
  const auto taken = left.size() + right.size() + 3;
  auto text = left + right;
  if (room > taken + 4) {
    const auto width = std::min<std::size_t>(room - taken, 40);
    const auto full = static_cast<std::size_t>(fraction * static_cast<double>(width));
    text = fmt::format("{}[{:{}}]{}", left, std::string(full, '='), width, right);
  }
  std::fputs((kClearLine + text.substr(0, room - 1)).c_str(), out_);
  std::fflush(out_);
  bar_ = true;
}

}  // namespace stillpoint::app
