#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "support.h"

// The program itself: what it says and how it ends.

namespace stillpoint::app::testing {
namespace {

class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(data);
    put_dataset(data, 200, 100);
  }

  std::string train(const std::string& options) const {
    return "train --threads 1 --data " + data.string() + " " + options;
  }
  static void expect_one_line_error(const Outcome& run, const std::string& says) {
    EXPECT_EQ(run.status, 2) << run.err;
    EXPECT_EQ(run.err.substr(0, 12), "stillpoint: ") << run.err;
    EXPECT_EQ(std::ranges::count(run.err, '\n'), 1) << run.err;
    EXPECT_NE(run.err.find(says), std::string::npos) << run.err;
  }

  TemporaryDirectory directory;
  fs::path data = directory / "data";
};

TEST_F(Program, HelpsWithDefaults) {
  const auto run = run_program("train --help");
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.err, "");
  for (const char* option : {"--model", "--variants", "--data", "--examples", "--test-examples", "--epochs",
                             "--seed", "--threads", "--device", "--report", "--plot", "--save", "--load",
                             "/usr/share/datasets/fashion-mnist", "newton-implicit"}) {
    EXPECT_NE(run.out.find(option), std::string::npos) << option;
  }
  EXPECT_EQ(run_program("--help").status, 0);
}

TEST_F(Program, RefusesBadOptions) {
  expect_one_line_error(run_program(train("--variants newton-unrolled")), "newton-unrolled");
  expect_one_line_error(run_program(train("--variants picard-implicit,picard-implicit")), "more than once");
  expect_one_line_error(run_program(train("--model deq")), "--model");
  expect_one_line_error(run_program(train("--model monotone --variants newton-implicit")), "newton-implicit");
  expect_one_line_error(run_program(train("--model jacobian-toy")), "leave --data out");
  expect_one_line_error(run_program("train --model transformer"), "--data");
  expect_one_line_error(run_program(train("--examples 0")), "--examples");
  expect_one_line_error(run_program(train("--epochs -1")), "--epochs");
  expect_one_line_error(run_program(train("--epochs many")), "--epochs");
  expect_one_line_error(run_program(train("--seed -1")), "--seed");
  expect_one_line_error(run_program(train("--threads 0")), "--threads");
  expect_one_line_error(run_program(train("--device tpu")), "--device tpu");
  expect_one_line_error(run_program(train("--nonsense")), "--nonsense");
  expect_one_line_error(run_program("nonsense"), "nonsense");
}

TEST_F(Program, RefusesBadData) {
  expect_one_line_error(run_program("train --data " + (directory / "nowhere").string()), "nowhere");
  const auto packed = get(data / "train-images-idx3-ubyte.gz");
  put(data / "train-images-idx3-ubyte.gz", packed.substr(0, packed.size() / 2));
  expect_one_line_error(run_program(train("")), "cut short");
}

TEST_F(Program, RefusesOutputsThatCannotBeWrittenBeforeItTrains) {
  for (const char* option : {"--report ", "--save "}) {
    const auto run = run_program(train(option + (directory / "nowhere/file").string()));
    expect_one_line_error(run, "nowhere");
    EXPECT_EQ(run.out, "");
  }
  expect_one_line_error(run_program(train("--plot " + (directory / "picture.pdf").string())), ".svg or .png");
  expect_one_line_error(run_program(train("--plot picture.svg"), "PATH=/nowhere"), "gnuplot");
}

TEST_F(Program, LeavesNoHalfWrittenFileOnAFullDisk) {
  const auto options = " --epochs 0 --variants picard-implicit";
  expect_one_line_error(run_program(train("--report /dev/full") + options), "No space left on device");
  expect_one_line_error(run_program(train(options), "exec >/dev/full;"), "standard output");
  // The shell's limit is in blocks of 512 or 1024 bytes; a checkpoint takes more than 300,000 bytes.
  const auto save = train("--save " + (directory / "checkpoint").string()) + options;
  expect_one_line_error(run_program(save, "trap '' XFSZ; ulimit -f 100;"), "checkpoint");
  EXPECT_EQ(directory.list(), std::vector<std::string>{"data"});
}

TEST_F(Program, RefusesUnreadableCheckpoints) {
  expect_one_line_error(run_program(train("--load " + (directory / "nowhere").string())), "nowhere");
  put(directory / "damaged", "text");
  expect_one_line_error(run_program(train("--load " + (directory / "damaged").string())), "not a checkpoint");
}

TEST_F(Program, ContinuesFromACheckpointAsIfItHadNotStopped) {
  const auto one = (directory / "one").string(), two = (directory / "two").string();
  const auto report = [&](const std::string& options) {
    const auto path = directory / "report.json";
    const auto run = run_program(train("--report " + path.string() + " " + options));
    EXPECT_EQ(run.status, 0) << run.err;
    const auto variant = nlohmann::json::parse(get(path))["variants"][0];
    return std::pair(variant["test_error"], variant["epochs"].size());
  };
  const auto at_once = report("--variants picard-implicit --epochs 3");
  report("--variants picard-implicit --epochs 2 --save " + one);
  EXPECT_EQ(report("--epochs 1 --load " + one + " --save " + two), at_once);
  EXPECT_EQ(report("--epochs 0 --load " + two), at_once);
  expect_one_line_error(run_program(train("--variants newton-implicit --load " + one)), "newton-implicit");
  expect_one_line_error(run_program(train("--seed 5 --load " + one)), "--seed 5");
  expect_one_line_error(run_program(train("--model monotone --load " + one)), "--model monotone");
}

TEST_F(Program, EndsCleanlyWhenInterrupted) {
  const auto checkpoint = (directory / "checkpoint").string();
  std::array<int, 2> output{};
  ASSERT_EQ(pipe(output.data()), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (directory / "err").c_str(), O_WRONLY | O_CREAT,
                                   0600);
  std::vector<std::string> words{
      STILLPOINT_PROGRAM, "train", "--data",     data.string(),     "--threads", "1",
      "--epochs",         "99999", "--variants", "picard-implicit", "--save",    checkpoint};
  std::vector<char*> arguments;
  for (auto& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  pid_t child = 0;
  ASSERT_EQ(posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(output[1]);

  std::string out;
  std::array<char, 256> chunk;
  while (out.find("1/99999") == std::string::npos) {
    const auto got = read(output[0], chunk.data(), chunk.size());
    ASSERT_GT(got, 0) << out;
    out.append(chunk.data(), static_cast<std::size_t>(got));
  }
  kill(child, SIGINT);
  while (read(output[0], chunk.data(), chunk.size()) > 0) {
  }
  close(output[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_EQ(get(directory / "err"), "stillpoint: interrupted; the finished epochs are saved\n");
  EXPECT_EQ(run_program(train("--epochs 0 --load " + checkpoint)).status, 0);
}

}  // namespace
}  // namespace stillpoint::app::testing
