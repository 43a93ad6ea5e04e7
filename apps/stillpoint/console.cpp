#include "console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "user_error.h"

namespace stillpoint::app {
namespace {

constexpr const char* kClearLine = "\r\x1b[K";

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::size_t columns(std::FILE* terminal) {
  winsize size = {};
  const bool known = ioctl(fileno(terminal), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

/// A number as `format` says, or a dash.
template <class Number>
std::string or_dash(const std::optional<Number>& number, const char* format) {
  return number ? fmt::format(fmt::runtime(format), *number) : "-";
}

std::string percent(double fraction) { return fmt::format("{:.2f} %", 100 * fraction); }

/// 1234567 as 1,234,567.
std::string grouped(std::int64_t number) {
  return number < 1000 ? std::to_string(number)
                       : fmt::format("{},{:03}", grouped(number / 1000), number % 1000);
}

/// What to know about samples that did not converge; usually nothing.
std::string remark(const Epoch& epoch) {
  std::string text;
  const auto mention = [&](std::int64_t count, const char* where) {
    if (count > 0) {
      text += fmt::format("  {} samples not converged in {}", grouped(count), where);
    }
  };
  mention(epoch.train.unconverged, "training");
  mention(epoch.train.backward_unconverged, "its backward pass");
  mention(epoch.test.unconverged, "the test");
  return text;
}

}  // namespace

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
  fmt::print(out_, "{}\n", text);
  if (std::fflush(out_) != 0) {
    throw UserError(fmt::format("cannot write to standard output: {}", std::strerror(errno)));
  }
}

void Console::epoch_header() {
  line(fmt::format("{:17}  {:>7}  {:^25}  {:^25}  {:>7}", "", "", "training", "test", ""));
  line(fmt::format("{:17}  {:>7}  {:>8} {:>7} {:>8}  {:>8} {:>7} {:>8}  {:>7}", "variant", "epoch", "error",
                   "loss", "steps", "error", "loss", "steps", "seconds"));
}

void Console::epoch(const std::string& variant, const Epoch& epoch, std::int64_t last) {
  line(fmt::format("{:17}  {:>7}  {:>8} {:>7.4f} {:>8.1f}  {:>8} {:>7.4f} {:>8.1f}  {:>7.1f}{}", variant,
                   fmt::format("{}/{}", epoch.number, last), percent(epoch.train.error), epoch.train.loss,
                   epoch.train.iterations, percent(epoch.test.error), epoch.test.loss, epoch.test.iterations,
                   epoch.train.seconds, remark(epoch)));
}

void Console::summary(const std::vector<VariantResult>& results) {
  constexpr const char* row = "{:17}  {:>8}  {:>10}  {:>10}  {:>9}  {:>13}  {:>9}";
  const auto print = [&](auto... cells) { line(fmt::format(fmt::runtime(row), cells...)); };
  line("");
  print("", "test", "forward", "backward", "seconds", "peak tensor", "gradient");
  print("variant", "error", "iterations", "iterations", "an epoch", "bytes a step", "error");
  for (const auto& result : results) {
    print(result.name, percent(result.test_error), fmt::format("{:.1f}", result.forward_iterations),
          or_dash(result.backward_iterations, "{:.1f}"), or_dash(result.seconds_per_epoch, "{:.2f}"),
          grouped(result.peak_bytes), or_dash(result.gradient_error, "{:.1e}"));
  }
}

void Console::progress(const std::string& variant, std::int64_t epoch, std::int64_t last, double fraction,
                       const Pass& so_far) {
  if (!terminal_ || now() - drawn_at_ < 0.1) {
    return;
  }
  drawn_at_ = now();
  const auto left = fmt::format("{:17}  {:>7}  ", variant, fmt::format("{}/{}", epoch, last));
  const auto right = fmt::format(" {:3.0f} %  loss {:.4f}  {:.1f} iterations", 100 * fraction, so_far.loss,
                                 so_far.iterations);
  const auto room = columns(out_);
  const auto taken = left.size() + right.size() + 3;
  auto text = left + right;
  if (room > taken + 4) {
    const auto width = std::min<std::size_t>(room - taken, 40);
    const auto full = static_cast<std::size_t>(fraction * static_cast<double>(width));
    text = fmt::format("{}[{:{}}]{}", left, std::string(full, '='), width, right);
  }
  fmt::print(out_, "{}{}", kClearLine, text.substr(0, room - 1));
  std::fflush(out_);
  bar_ = true;
}

}  // namespace stillpoint::app
