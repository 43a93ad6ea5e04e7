#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace stillpoint::app {

/// The largest file that is read, and the most numbers that are unpacked from one.
inline constexpr std::size_t kMaxBytes = std::size_t{1} << 31;

/// All bytes of a regular file, of at most `kMaxBytes`. What has no end of its own (a pipe, /dev/zero) is
/// refused. Throws UserError.
std::string read_file(const std::filesystem::path& path);

/// Writes the whole file or leaves what was there: the bytes go to a file beside it, PATH.stillpoint.part,
/// which takes its name when they are safe on the disk. A file that is replaced keeps its permissions, and a
/// symbolic link stays one. What is no regular file (/dev/stdout, a pipe) is written to directly. Throws
/// UserError.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// Throws the UserError that `write_file` would throw now, before hours of work are spent. A file that is
/// there is replaced by a copy of itself, since nothing less shows that it can be replaced.
void check_writable(const std::filesystem::path& path);

/// Whether both are one place: the same file by any name, or the same name of a file that is not there yet.
bool same_place(const std::filesystem::path& one, const std::filesystem::path& other);

}  // namespace stillpoint::app
