#include "console.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <numbers>
#include <sstream>

#include "support.h"

namespace stillpoint::app::testing {
namespace {

/// A terminal of 60 columns, and what was shown on it.
class Terminal {
 public:
  Terminal() : master_(posix_openpt(O_RDWR | O_NOCTTY)) {
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) {
      return;
    }
    const winsize size{.ws_row = 20, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(master_, TIOCSWINSZ, &size);
    if (const char* name = ptsname(master_)) {
      stream = std::fopen(name, "w");
    }
  }
  ~Terminal() {
    if (stream != nullptr) {
      std::fclose(stream);
    }
    if (master_ >= 0) {
      close(master_);
    }
  }
  std::string shown() const {
    std::array<char, 4096> bytes;
    const auto count = read(master_, bytes.data(), bytes.size());
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

  std::FILE* stream = nullptr;  ///< null where the machine gives no terminals

 private:
  int master_;
};

const Pass kPass{.error = 0.1, .loss = 0.25, .iterations = 12.5, .backward_iterations = {}};

TEST(Console, DrawsABarOnATerminalAndClearsIt) {
  const Terminal terminal;
  if (terminal.stream == nullptr) {
    GTEST_SKIP() << "this machine opens no pseudo-terminal";
  }
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

/// What `work` writes to a console that is a file.
template <class Work>
std::string shown_by(Work work) {
  const TemporaryDirectory directory;
  const auto path = directory / "out";
  auto* stream = std::fopen(path.c_str(), "w");
  {
    Console console(stream);
    work(console);
  }
  std::fclose(stream);
  return get(path);
}

TEST(Console, ShowsSamplesThatDidNotConverge) {
  auto pass = kPass;
  pass.unconverged = 1234;
  const auto text = shown_by([&](Console& console) {
    console.epoch(Task::Classes, "picard-implicit", {.number = 1, .train = pass, .test = kPass}, 3);
  });
  EXPECT_NE(text.find("not converged: 1,234 forward, 0 backward, 0 in test"), std::string::npos) << text;
}

TEST(Console, TakesNoMoreThan80Columns) {
  const Pass bad{.error = 0.9999,
                 .loss = 12.3456,
                 .iterations = 199.9,
                 .backward_iterations = 1999.9,
                 .unconverged = 60'000,
                 .backward_unconverged = 60'000,
                 .seconds = 9999.9};
  const Epoch epoch{.number = 99'999, .train = bad, .test = bad};
  auto result = summarize("anderson-implicit", Task::Classes, {epoch}, bad);
  result.peak_bytes = 9'999'999'999;
  result.gradient_error = 1e-5;
  const auto text = shown_by([&](Console& console) {
    console.epoch_header();
    console.epoch(Task::Classes, "anderson-implicit", epoch, 3);
    console.summary(Task::Classes, {result});
  });
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(Console, ShowsADashForWhatIsNoNumber) {
  auto nothing = kPass;
  nothing.loss = std::numeric_limits<double>::quiet_NaN();
  const auto text = shown_by([&](Console& console) {
    console.epoch(Task::Classes, "picard-implicit", {.number = 1, .train = nothing, .test = kPass}, 3);
  });
  EXPECT_NE(text.find("10.00 %      -  12.5"), std::string::npos) << text;
  EXPECT_EQ(text.find("nan"), std::string::npos) << text;
}

TEST(Console, ShowsHowManyEpochsAVariantHas) {
  const Epoch epoch{.number = 1, .train = kPass, .test = kPass};
  const auto text = shown_by([&](Console& console) {
    console.summary(Task::Classes, {summarize("one", Task::Classes, {epoch}, kPass),
                                    summarize("twelve", Task::Classes, std::vector(12, epoch), kPass)});
  });
  EXPECT_NE(text.find("epochs"), std::string::npos) << text;
  EXPECT_NE(text.find("one" + std::string(20, ' ') + "1 "), std::string::npos) << text;
  EXPECT_NE(text.find("twelve" + std::string(16, ' ') + "12 "), std::string::npos) << text;
}

TEST(Console, ShowsWhatTheTaskIsScoredBy) {
  const auto shown = [&](Task task) {
    return shown_by([&](Console& console) {
      const Epoch epoch{.number = 1, .train = kPass, .test = {.error = 0.1, .loss = std::numbers::ln2}};
      console.epoch(task, "explicit-12", epoch, 1);
      console.summary(task, {summarize("explicit-12", task, {epoch}, epoch.test)});
    });
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
