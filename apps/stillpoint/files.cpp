#include "files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "user_error.h"

namespace stillpoint::app {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& path) {
  throw UserError(fmt::format("cannot write {}: {}; free space or name a file that can be written",
                              path.string(), std::strerror(errno)));
}

/// A file open for writing, which is removed again unless it is kept.
class Output {
 public:
  Output(fs::path target, fs::path path, int flags)
      : target_(std::move(target)),
        path_(std::move(path)),
        fd_(open(path_.c_str(), flags | O_CLOEXEC, 0666)) {
    if (fd_ < 0) {
      fail(target_);
    }
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    if (fd_ >= 0) {
      close(fd_);
    }
    if (temporary()) {
      unlink(path_.c_str());
    }
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) {
        fail(target_);
      }
      bytes.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
  }

  void keep() {
    if (temporary() && fsync(fd_) != 0) {
      fail(target_);
    }
    if (close(std::exchange(fd_, -1)) != 0) {
      fail(target_);
    }
    if (temporary() && rename(path_.c_str(), target_.c_str()) != 0) {
      fail(target_);
    }
    path_ = target_;
  }

 private:
  bool temporary() const { return path_ != target_; }

  fs::path target_, path_;
  int fd_;
};

Output open_output(const fs::path& path) {
  std::error_code ignored;
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) {
    return Output(path, path, O_WRONLY);
  }
  // A link stays a link: its target is what is replaced.
  auto target = fs::weakly_canonical(path, ignored);
  if (target.empty()) {
    target = path;
  }
  auto beside = target;
  beside += fmt::format(".{}.part", getpid());
  return Output(target, beside, O_WRONLY | O_CREAT | O_EXCL);
}

}  // namespace

std::string read_file(const fs::path& path) {
  std::error_code ignored;
  std::ifstream stream(path, std::ios::binary);
  if (!stream.is_open() || fs::is_directory(path, ignored)) {
    throw UserError(fmt::format("cannot read {}: name a file that exists and can be read", path.string()));
  }
  std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  return bytes;
}

void write_file(const fs::path& path, std::string_view bytes) {
  auto output = open_output(path);
  output.write(bytes);
  output.keep();
}

void check_writable(const fs::path& path) { open_output(path); }

}  // namespace stillpoint::app
