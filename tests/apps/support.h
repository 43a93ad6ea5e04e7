#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiment.h"
#include "user_error.h"

namespace stillpoint::app::testing {

namespace fs = std::filesystem;

/// A directory that exists as long as this does.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }
  /// Names of what is in it, in order.
  std::vector<std::string> list() const;

 private:
  fs::path path_;
};

void put(const fs::path& path, const std::string& bytes);
std::string get(const fs::path& path);
std::string gzip(const std::string& bytes);

/// An IDX file of unsigned bytes.
std::string idx(const std::vector<std::uint32_t>& sizes, const std::string& numbers);

/// Writes the four files of a data set that a linear model could learn: images of 28 x 28, where each of the
/// ten classes has a block of its own that is bright, under noise. The training files are gzipped.
void put_dataset(const fs::path& directory, std::int64_t train, std::int64_t test);

/// Writes so many sudoku boards, which have two thirds of their digits, with their solutions.
void put_boards(const fs::path& path, std::int64_t count);

/// Something that the networks of a model take, so many samples.
at::Tensor sample_inputs(const Experiment& experiment, std::int64_t count);

/// How a run of the program ended.
struct Outcome {
  int status;
  std::string out;
  std::string err;
};
/// Runs `stillpoint ARGUMENTS` in a shell, with `before` (an assignment, a limit) in front of it.
Outcome run_program(const std::string& arguments, const std::string& before = "");

/// Runs of the program, with a data set in `data`.
class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(data);
    put_dataset(data, 200, 100);
  }

  std::string train(const std::string& options) const {
    return "train --threads 1 --data " + data.string() + " " + options;
  }
  static void expect_one_line_error(const Outcome& run, const std::string& says);

  TemporaryDirectory directory;
  fs::path data = directory / "data";
};

/// The program while it runs.
class RunningProgram {
 public:
  RunningProgram(const std::vector<std::string>& arguments, const fs::path& err,
                 const std::vector<std::string>& environment = {});
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  /// Reads what the program writes until `text` comes; false if it ends before.
  bool wait_for(const std::string& text);
  /// Sends SIGINT and waits for the end: the exit status, or -1 after a signal.
  int interrupt();

 private:
  int output_ = -1;
  pid_t child_ = 0;
};

/// Expects a UserError that says each of `parts` in one line.
template <class Work>
void expect_user_error(Work work, const std::vector<std::string>& parts) {
  try {
    work();
    ADD_FAILURE() << "no error; expected one that says \"" << parts.front() << "\"";
  } catch (const UserError& error) {
    const std::string what = error.what();
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    for (const auto& part : parts) {
      EXPECT_NE(what.find(part), std::string::npos) << "\"" << part << "\" is not in: " << what;
    }
  }
}

}  // namespace stillpoint::app::testing
