#include <sys/stat.h>
#include <torch/version.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "support.h"

// The program itself: what it says and how it ends.

namespace stillpoint::app::testing {
namespace {

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
  for (const char* option : {"--data", "--report", "--plot", "--save", "--load"}) {
    expect_one_line_error(run_program("train " + std::string(option) + " ''"),
                          std::string(option) + ": the name is empty");
  }
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

// Without a place for the message there is still the status.
TEST_F(Program, FailsWhereNothingCanBeSaid) {
  for (const char* nowhere : {"exec 2>&-;", "exec 2>/dev/full;"}) {
    EXPECT_EQ(run_program("nonsense", nowhere).status, 2) << nowhere;
    EXPECT_EQ(run_program(train("--device tpu"), nowhere).status, 2) << nowhere;
  }
  // A stream that is closed does not become a file of ours, into which warnings would go.
  const auto saved = (directory / "saved").string();
  const auto save = "train --epochs 0 --variants picard-implicit --threads 4096 --data " + data.string() +
                    " --save " + saved;
  EXPECT_EQ(run_program(save, "exec 2>&-;").status, 0);
  EXPECT_EQ(run_program(train("--epochs 0 --load " + saved)).status, 0);
  expect_one_line_error(run_program("--help", "exec >/dev/full;"), "standard output");
  expect_one_line_error(run_program("--version", "exec >/dev/full;"), "standard output");
}

TEST_F(Program, TakesNoMoreThreadsThanThereAreProcessors) {
  const auto path = directory / "report.json";
  const auto run = run_program("train --epochs 0 --variants picard-implicit --threads 4096 --data " +
                               data.string() + " --report " + path.string());
  EXPECT_EQ(run.status, 0) << run.err;
  const auto processors = std::thread::hardware_concurrency();
  EXPECT_EQ(run.err, "stillpoint: --threads 4096: this machine has " + std::to_string(processors) +
                         " processors; going on with " + std::to_string(processors) + " threads\n");
  EXPECT_EQ(nlohmann::json::parse(get(path))["threads"], processors);
}

TEST_F(Program, TakesItsOptionsWithoutACommand) {
  const auto options = " --epochs 0 --variants picard-implicit --data " + data.string();
  const auto run = run_program(options);
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.out, run_program("train" + options).out);
  expect_one_line_error(run_program("--one 1 --two 2"), "--one 1 --two 2");
  expect_one_line_error(run_program("train --one 1 --two 2"), "--one 1 --two 2");
}

TEST_F(Program, NamesItsVersion) {
  const auto run = run_program("--version");
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.out, "stillpoint " STILLPOINT_VERSION ", LibTorch " TORCH_VERSION "\n");
}

// A pipe that nobody writes to would be waited for, and a device read without an end.
TEST_F(Program, RefusesWhatIsNoFile) {
  const auto pipe = (directory / "pipe").string(), loop = (directory / "loop").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink("loop", loop);
  for (const auto& name : {pipe, std::string("/dev/zero")}) {
    expect_one_line_error(run_program("train --model transformer --data " + name), "a pipe or a device");
    expect_one_line_error(run_program(train("--load " + name)), "a pipe or a device");
  }
  for (const char* option : {"--model transformer --data ", "--load ", "--save "}) {
    expect_one_line_error(run_program(std::string("train ") + option + loop),
                          "Too many levels of symbolic links");
  }
  expect_one_line_error(run_program("train --data " + loop), "Too many levels of symbolic links");
}

}  // namespace
}  // namespace stillpoint::app::testing
