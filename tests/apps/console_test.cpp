#include "console.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <numbers>

#include "support.h"

namespace stillpoint::app::testing {
namespace {

/// A terminal of 60 columns, and what was shown on it.
class Terminal {
 public:
  Terminal() : master_(posix_openpt(O_RDWR | O_NOCTTY)) {
    grantpt(master_);
    unlockpt(master_);
    const winsize size{.ws_row = 20, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(master_, TIOCSWINSZ, &size);
    stream = std::fopen(ptsname(master_), "w");
  }
  ~Terminal() {
    std::fclose(stream);
    close(master_);
  }
  std::string shown() const {
    std::array<char, 4096> bytes;
    const auto count = read(master_, bytes.data(), bytes.size());
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

  std::FILE* stream = nullptr;

 private:
  int master_;
};

const Pass kPass{.error = 0.1, .loss = 0.25, .iterations = 12.5, .backward_iterations = {}};

TEST(Console, DrawsABarOnATerminalAndClearsIt) {
  const Terminal terminal;
  ASSERT_NE(terminal.stream, nullptr);
  {
    Console console(terminal.stream);
    console.progress("picard-implicit", 1, 3, 0.5, kPass);
    const auto bar = terminal.shown();
    EXPECT_NE(bar.find("1/3"), std::string::npos) << bar;
    EXPECT_NE(bar.find("50 %"), std::string::npos) << bar;
    EXPECT_NE(bar.find("loss 0.2500"), std::string::npos) << bar;
    EXPECT_EQ(bar.find('\n'), std::string::npos) << bar;
    EXPECT_LT(bar.size(), 60 + std::string("\r\x1b[K").size()) << "it would wrap";
    console.line("done");
  }
  EXPECT_EQ(terminal.shown(), "\r\x1b[Kdone\r\n");
}

TEST(Console, WritesPlainLinesToAFile) {
  const TemporaryDirectory directory;
  const auto path = directory / "out";
  auto* stream = std::fopen(path.c_str(), "w");
  {
    Console console(stream);
    console.epoch_header();
    console.progress("picard-implicit", 1, 3, 0.5, kPass);
    console.epoch(Task::Classes, "picard-implicit", {.number = 1, .train = kPass, .test = kPass}, 3);
  }
  std::fclose(stream);
  const auto text = get(path);
  EXPECT_NE(text.find("10.00 %"), std::string::npos) << text;
  EXPECT_EQ(text.find_first_of("\r\x1b"), std::string::npos) << text;
  EXPECT_EQ(text.find("not converged"), std::string::npos) << text;
}

TEST(Console, ShowsSamplesThatDidNotConverge) {
  const TemporaryDirectory directory;
  const auto path = directory / "out";
  auto* stream = std::fopen(path.c_str(), "w");
  auto pass = kPass;
  pass.unconverged = 1234;
  {
    Console console(stream);
    console.epoch(Task::Classes, "picard-implicit", {.number = 1, .train = pass, .test = kPass}, 3);
  }
  std::fclose(stream);
  EXPECT_NE(get(path).find("not converged: 1,234 forward, 0 backward, 0 in test"), std::string::npos)
      << get(path);
}

TEST(Console, ShowsWhatTheTaskIsScoredBy) {
  const TemporaryDirectory directory;
  const auto path = directory / "out";
  const auto shown = [&](Task task) {
    auto* stream = std::fopen(path.c_str(), "w");
    {
      Console console(stream);
      const Epoch epoch{.number = 1, .train = kPass, .test = {.error = 0.1, .loss = std::numbers::ln2}};
      console.epoch(task, "explicit-12", epoch, 1);
      console.summary(task, {summarize("explicit-12", task, {epoch}, epoch.test)});
    }
    std::fclose(stream);
    return get(path);
  };
  EXPECT_NE(shown(Task::Characters).find("bits a"), std::string::npos);
  EXPECT_NE(shown(Task::Characters).find("1.000 "), std::string::npos);
  EXPECT_NE(shown(Task::Numbers).find("0.1000"), std::string::npos);
  EXPECT_EQ(shown(Task::Numbers).find('%'), std::string::npos);
}

TEST(Console, SaysThatNothingCanBeWritten) {
  auto* full = std::fopen("/dev/full", "w");
  expect_user_error([&] { Console(full).line("text"); }, {"standard output", "No space left on device"});
  std::fclose(full);
}

}  // namespace
}  // namespace stillpoint::app::testing
