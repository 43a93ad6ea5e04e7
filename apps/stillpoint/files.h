#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace stillpoint::app {

/// All bytes of a file. Throws UserError.
std::string read_file(const std::filesystem::path& path);

/// Writes the whole file or leaves what was there: the bytes go to a temporary file beside it, which takes
/// its name when they are safe on the disk. What is not a regular file (/dev/stdout, a pipe) is written to
/// directly. Throws UserError.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// Throws the UserError that `write_file` would throw now, before hours of work are spent.
void check_writable(const std::filesystem::path& path);

}  // namespace stillpoint::app
