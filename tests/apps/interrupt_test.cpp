#include "interrupt.h"

#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "support.h"

namespace stillpoint::app::testing {
namespace {

using InterruptDeathTest = Program;

TEST_F(InterruptDeathTest, EndsAtOnceWhereThatIsSafe) {
  const auto interrupted_in_work = [] {
    catch_interrupts("interrupted; all is saved");
    const EndAtOnce now;
    std::raise(SIGINT);
    std::exit(1);
  };
  EXPECT_EXIT(interrupted_in_work(), ::testing::ExitedWithCode(130),
              "^stillpoint: interrupted; all is saved\n$");
}

TEST_F(InterruptDeathTest, EndsAtTheNextSafePoint) {
  const auto interrupted_before_work = [](auto safe_point) {
    catch_interrupts("");
    std::raise(SIGINT);
    try {
      safe_point();
    } catch (const Interrupted&) {
      std::exit(130);
    }
    std::exit(1);
  };
  EXPECT_EXIT(interrupted_before_work(stop_if_interrupted), ::testing::ExitedWithCode(130), "");
  EXPECT_EXIT(interrupted_before_work([] { const EndAtOnce now; }), ::testing::ExitedWithCode(130), "");
}

using Interrupts = Program;

TEST_F(Interrupts, EndTrainingCleanly) {
  const auto checkpoint = (directory / "checkpoint").string();
  RunningProgram running({"train", "--data", data.string(), "--threads", "1", "--epochs", "99999",
                          "--variants", "picard-implicit", "--save", checkpoint},
                         directory / "err");
  ASSERT_TRUE(running.wait_for("1/99999"));
  EXPECT_EQ(running.interrupt(), 130);
  EXPECT_EQ(get(directory / "err"), "stillpoint: interrupted; the finished epochs are saved\n");
  EXPECT_EQ(run_program("train --epochs 0 --load " + checkpoint).status, 0);
}

// Training is over, and gnuplot does not return.
TEST_F(Interrupts, EndWhatComesAfterTraining) {
  const auto bin = directory / "bin", report = directory / "report.json";
  fs::create_directory(bin);
  put(bin / "gnuplot",
      "#!/bin/sh\ngrep -q picard-implicit || exit 0\necho drawing > /proc/$PPID/fd/1\nwhile [ -e '" +
          bin.string() + "' ]; do sleep 1; done\n");
  fs::permissions(bin / "gnuplot", fs::perms{0755});
  RunningProgram running({"train", "--data", data.string(), "--epochs", "0", "--variants", "picard-implicit",
                          "--report", report.string(), "--plot", (directory / "plot.svg").string()},
                         directory / "err", {"PATH=" + bin.string() + ":" + std::getenv("PATH")});
  ASSERT_TRUE(running.wait_for("drawing")) << get(directory / "err");
  EXPECT_EQ(running.interrupt(), 130);
  EXPECT_EQ(get(directory / "err"), "stillpoint: interrupted\n");
  EXPECT_EQ(nlohmann::json::parse(get(report))["variants"].size(), 1U);
}

}  // namespace
}  // namespace stillpoint::app::testing
