#include "files.h"

#include <sys/resource.h>

#include <csignal>

#include "support.h"

namespace stillpoint::app::testing {
namespace {

/// While it lives, no file grows beyond `bytes`: what a full disk looks like to the program.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit low{.rlim_cur = bytes, .rlim_max = limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &low);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit limit_{};
  void (*handler_)(int);
};

class Files : public ::testing::Test {
 protected:
  TemporaryDirectory directory;
  fs::path path = directory / "file";
};

TEST_F(Files, WritesAndReadsAllBytes) {
  const std::string bytes("a\0b\n\xff", 5);
  write_file(path, bytes);
  EXPECT_EQ(read_file(path), bytes);
  write_file(path, "shorter");
  EXPECT_EQ(read_file(path), "shorter");
  EXPECT_EQ(directory.list(), std::vector<std::string>{"file"});
}

TEST_F(Files, KeepsTheOldFileWhenTheDiskIsFull) {
  write_file(path, "old");
  const std::string large(100'000, 'x');
  {
    const FullDisk full(50'000);
    expect_user_error([&] { write_file(path, large); }, {path.string(), "cannot write"});
    expect_user_error([&] { write_file(directory / "new", large); }, {"cannot write"});
  }
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(directory.list(), std::vector<std::string>{"file"});
}

TEST_F(Files, ReportsAFullDevice) {
  expect_user_error([] { write_file("/dev/full", "bytes"); }, {"/dev/full", "No space left on device"});
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(Files, ReplacesTheTargetOfALink) {
  write_file(path, "old");
  fs::create_symlink(path, directory / "link");
  write_file(directory / "link", "new");
  EXPECT_TRUE(fs::is_symlink(directory / "link"));
  EXPECT_EQ(read_file(path), "new");
}

TEST_F(Files, ChecksBeforehandAndLeavesNothing) {
  check_writable(path);
  EXPECT_TRUE(directory.list().empty());
  expect_user_error([&] { check_writable(directory / "nowhere/file"); },
                    {"nowhere", "No such file or directory"});
  expect_user_error([&] { check_writable(directory.path()); }, {directory.path().string()});
}

}  // namespace
}  // namespace stillpoint::app::testing
