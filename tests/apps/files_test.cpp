#include "files.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>

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

/// While it lives, the process is somebody who owns nothing here.
class Somebody {
 public:
  Somebody() : changed_(seteuid(65534) == 0) {}
  ~Somebody() {
    if (changed_) {
      [[maybe_unused]] const int back = seteuid(0);
    }
  }
  bool changed() const { return changed_; }

 private:
  bool changed_;
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

// A relative one, to a file that is not there yet.
TEST_F(Files, WritesToTheTargetOfALinkToNothing) {
  fs::create_symlink("file", directory / "link");
  write_file(directory / "link", "new");
  EXPECT_TRUE(fs::is_symlink(directory / "link"));
  EXPECT_EQ(read_file(path), "new");
}

TEST_F(Files, RefusesLinksThatLeadInACircle) {
  fs::create_symlink("two", directory / "one");
  fs::create_symlink("one", directory / "two");
  const std::string why = "Too many levels of symbolic links";
  expect_user_error([&] { read_file(directory / "one"); }, {"one", why});
  expect_user_error([&] { write_file(directory / "one", "new"); }, {"one", why});
  expect_user_error([&] { check_writable(directory / "one"); }, {"one", why});
  EXPECT_EQ(directory.list().size(), 2U);
}

TEST_F(Files, KeepsThePermissionsOfWhatItReplaces) {
  const auto permissions = [&] { return fs::status(path).permissions(); };
  const auto mask = umask(022);
  write_file(path, "old");
  EXPECT_EQ(permissions(), fs::perms{0644});
  fs::permissions(path, fs::perms{0600});
  check_writable(path);
  EXPECT_EQ(permissions(), fs::perms{0600});
  write_file(path, "new");
  EXPECT_EQ(permissions(), fs::perms{0600});
  umask(mask);
}

// Such as a program leaves that is killed while it writes; its process id may well be ours now.
TEST_F(Files, AreNotBlockedByWhatAKilledWriterLeft) {
  put(directory / "file.stillpoint.part", "half of what was meant to be writ");
  write_file(path, "new");
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(directory.list(), std::vector<std::string>{"file"});
}

TEST_F(Files, AreWholeWhenManyWriteAtATime) {
  std::vector<std::thread> writers;
  for (char letter = 'a'; letter < 'i'; ++letter) {
    writers.emplace_back([&, letter] {
      for (int i = 0; i < 20; ++i) {
        write_file(path, std::string(100'000, letter));
      }
    });
  }
  for (auto& writer : writers) {
    writer.join();
  }
  const auto whole = read_file(path);
  EXPECT_EQ(whole, std::string(100'000, whole.front()));
  EXPECT_EQ(directory.list(), std::vector<std::string>{"file"});
}

TEST_F(Files, RefusesToReadWhatHasNoEnd) {
  ASSERT_EQ(mkfifo((directory / "pipe").c_str(), 0600), 0);
  expect_user_error([&] { read_file(directory / "pipe"); }, {"pipe", "a pipe or a device"});
  expect_user_error([] { read_file("/dev/zero"); }, {"/dev/zero", "a pipe or a device"});
  expect_user_error([&] { read_file(directory.path()); }, {"it is a directory"});
  put(path, "");
  fs::resize_file(path, std::uintmax_t{3} << 30);
  expect_user_error([&] { read_file(path); }, {path.string(), "3221225472 bytes, more than the 2147483648"});
}

TEST_F(Files, KnowsTheSamePlaceByItsNames) {
  fs::create_symlink("file", directory / "link");
  EXPECT_TRUE(same_place(path, directory / "link"));
  EXPECT_TRUE(same_place(path, directory / "./file"));
  EXPECT_TRUE(same_place("file", fs::current_path() / "file"));
  EXPECT_FALSE(same_place(path, directory / "other"));
  put(path, "");
  EXPECT_TRUE(same_place(path, directory / "link"));
  EXPECT_FALSE(same_place(path, directory / "other"));
}

TEST_F(Files, ChecksBeforehandThatAFileCanBeReplaced) {
  put(path, "old");
  fs::permissions(path, fs::perms{0666});
  check_writable(path);
  EXPECT_EQ(read_file(path), "old");
  // Here everybody may write to it and make files beside it, but only its owner may replace it.
  fs::permissions(directory.path(), fs::perms{01777});
  const Somebody somebody;
  if (!somebody.changed()) {
    GTEST_SKIP() << "run this test as root, who can be somebody else";
  }
  expect_user_error([&] { check_writable(path); }, {path.string(), "Operation not permitted"});
  EXPECT_EQ(directory.list(), std::vector<std::string>{"file"});
  EXPECT_EQ(read_file(path), "old");
}

// Its reader would be waited for, or take the check for all that comes.
TEST_F(Files, DoesNotOpenAPipeToCheckIt) {
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  check_writable(path);
  std::string got;
  std::thread reader([&] { got = get(path); });
  write_file(path, "bytes");
  reader.join();
  EXPECT_EQ(got, "bytes");
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
