#include "files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "user_error.h"

namespace stillpoint::app {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void cannot_write(const fs::path& path) {
  throw UserError(fmt::format("cannot write {}: {}; free space or name a file that can be written",
                              path.string(), std::strerror(errno)));
}

[[noreturn]] void cannot_read(const fs::path& path, const std::string& why) {
  throw UserError(
      fmt::format("cannot read {}: {}; name a file that exists and can be read", path.string(), why));
}

/// Closes a file.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  bool close() { return fd_ < 0 || ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

std::optional<struct stat> status_of(int fd) {
  struct stat status = {};
  return fstat(fd, &status) == 0 ? std::optional(status) : std::nullopt;
}

/// What a name stands for; nothing if there is nothing.
std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 ? std::optional(status) : std::nullopt;
}

/// The file that is opened to be the new `target`, for this process alone: another that writes the same
/// target is waited for, and what one that was killed has left is used up.
Descriptor open_part(const fs::path& target, const fs::path& part) {
  while (true) {
    Descriptor file(open(part.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
    if (file.get() < 0) {
      cannot_write(target);
    }
    flock(file.get(), LOCK_EX);  // where a file system has no locks, nobody is waited for
    const auto mine = status_of(file.get()), there = status_of(part);
    if (mine && there && mine->st_dev == there->st_dev && mine->st_ino == there->st_ino) {
      return file;
    }
  }
}

/// What umask() lets a new file have.
mode_t default_mode() {
  const auto mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

/// A file open for writing. One beside the target is removed again unless it is kept.
class Output {
 public:
  /// Writes to `target` itself.
  explicit Output(fs::path target)
      : target_(std::move(target)), path_(target_), file_(open(target_.c_str(), O_WRONLY | O_CLOEXEC)) {
    if (file_.get() < 0) {
      cannot_write(target_);
    }
  }
  /// Writes to `part`, which takes the name `target` and the permissions `mode` in the end.
  Output(fs::path target, fs::path part, mode_t mode)
      : target_(std::move(target)), path_(std::move(part)), file_(open_part(target_, path_)) {
    if (ftruncate(file_.get(), 0) != 0 || fchmod(file_.get(), mode) != 0) {
      cannot_write(target_);
    }
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    if (beside()) {
      unlink(path_.c_str());
    }
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) {
        cannot_write(target_);
      }
      bytes.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
  }

  void keep() {
    if (beside() && (fsync(file_.get()) != 0 || rename(path_.c_str(), target_.c_str()) != 0)) {
      cannot_write(target_);
    }
    path_ = target_;
    if (!file_.close()) {
      cannot_write(target_);
    }
  }

 private:
  bool beside() const { return path_ != target_; }

  fs::path target_, path_;
  Descriptor file_;
};

/// What the last of a chain of symbolic links names, whether it is there or not; empty if they lead in a
/// circle.
fs::path follow_links(fs::path path) {
  constexpr int most = 40;  // as many as Linux follows
  for (int i = 0; i < most; ++i) {
    std::error_code no_link;
    const auto next = fs::read_symlink(path, no_link);
    if (no_link) {
      return path;
    }
    path = path.parent_path() / next;
  }
  return {};
}

Output open_output(const fs::path& path) {
  const auto old = status_of(path);
  if (old && !S_ISREG(old->st_mode)) {
    return Output(path);
  }
  // A file that must not be written to must not be replaced either.
  if (old && access(path.c_str(), W_OK) != 0) {
    cannot_write(path);
  }
  const auto target = follow_links(path);
  if (target.empty()) {
    errno = ELOOP;
    cannot_write(path);
  }
  auto beside = target;
  beside += ".stillpoint.part";
  return {target, beside, old ? old->st_mode & 0777 : default_mode()};
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const auto status = file.get() < 0 ? std::nullopt : status_of(file.get());
  if (!status) {
    cannot_read(path, std::strerror(errno));
  }
  if (!S_ISREG(status->st_mode)) {
    cannot_read(path, S_ISDIR(status->st_mode) ? "it is a directory" : "it is a pipe or a device");
  }
  const auto size = static_cast<std::size_t>(status->st_size);
  if (size > kMaxBytes) {
    cannot_read(path,
                fmt::format("it has {} bytes, more than the {} that are read of a file", size, kMaxBytes));
  }
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const auto got = read(file.get(), bytes.data() + done, size - done);
    if (got < 0 && errno != EINTR) {
      cannot_read(path, std::strerror(errno));
    }
    if (got == 0) {
      break;  // it has become shorter
    }
    done += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  }
  bytes.resize(done);
  return bytes;
}

void write_file(const fs::path& path, std::string_view bytes) {
  auto output = open_output(path);
  output.write(bytes);
  output.keep();
}

void check_writable(const fs::path& path) {
  const auto old = status_of(path);
  if (old && S_ISFIFO(old->st_mode)) {  // whoever reads it would take our closing it for the end
    if (access(path.c_str(), W_OK) != 0) {
      cannot_write(path);
    }
    return;
  }
  auto output = open_output(path);
  if (old && S_ISREG(old->st_mode)) {
    output.write(read_file(path));
    output.keep();
  }
}

bool same_place(const fs::path& one, const fs::path& other) {
  std::error_code ignored;
  const auto place = [&](const fs::path& path) {
    return fs::weakly_canonical(fs::absolute(follow_links(path), ignored), ignored);
  };
  return fs::equivalent(one, other, ignored) || place(one) == place(other);
}

}  // namespace stillpoint::app
