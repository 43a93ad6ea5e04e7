#include "idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>
#include <zlib.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "files.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw UserError(fmt::format("{}: {}; download it again or name another --data", path.string(), what));
}

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

/// The content of a gzip file, which may have several members, or the beginning of it: enough to see that it
/// is more than `most` bytes. zlib's own file functions would silently ignore what follows the compressed
/// data.
std::string gunzip(const std::filesystem::path& path, std::string_view packed, std::size_t most) {
  z_stream stream = {};
  if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) {
    throw std::bad_alloc();
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string content;
  std::array<char, 1 << 16> chunk;
  int state = Z_OK;
  while (state == Z_OK && content.size() <= most) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = chunk.size();
    state = inflate(&stream, Z_NO_FLUSH);
    content.append(chunk.data(), chunk.size() - stream.avail_out);
    if (state == Z_STREAM_END && is_gzip(packed.substr(packed.size() - stream.avail_in))) {
      state = inflateReset(&stream);
    }
  }
  const auto left = stream.avail_in;
  inflateEnd(&stream);
  if (state == Z_BUF_ERROR) {
    fail(path, "the gzip file is cut short");
  }
  if (state != Z_STREAM_END && content.size() <= most) {
    fail(path, "the gzip file is damaged");
  }
  if (state == Z_STREAM_END && left != 0) {
    fail(path, fmt::format("{} bytes follow the end of the gzip data", left));
  }
  return content;
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) {
    value = value << 8 | static_cast<unsigned char>(byte);
  }
  return value;
}

/// The sizes in a header of `header` bytes.
std::vector<std::int64_t> read_sizes(const std::filesystem::path& path, std::string_view content,
                                     std::size_t header) {
  if (content.size() < header) {
    fail(path, fmt::format("{} bytes are too few for an IDX header of {}", content.size(), header));
  }
  const auto magic = static_cast<std::uint32_t>(0x0800 + header / 4 - 1);
  if (const auto found = big_endian(content); found != magic) {
    fail(path, fmt::format("expected an IDX file with magic number {}, found {}", magic, found));
  }
  std::vector<std::int64_t> sizes;
  for (std::size_t at = 4; at < header; at += 4) {
    sizes.push_back(big_endian(content.substr(at)));
  }
  return sizes;
}

std::size_t count_numbers(const std::filesystem::path& path, const std::vector<std::int64_t>& sizes) {
  std::size_t numbers = 1;
  for (const auto size : sizes) {
    numbers *= static_cast<std::size_t>(size);
    if (numbers == 0 || numbers > kMaxBytes) {
      fail(path, fmt::format("{} in its header is empty or too large", fmt::join(sizes, " x ")));
    }
  }
  return numbers;
}

}  // namespace

at::Tensor read_idx(const std::filesystem::path& path, std::int64_t dimensions) {
  auto file = read_file(path);
  const bool packed = is_gzip(file);
  const auto header = 4 * static_cast<std::size_t>(dimensions + 1);
  const auto sizes = read_sizes(path, packed ? gunzip(path, file, header) : file, header);
  const auto numbers = count_numbers(path, sizes);
  // No more is unpacked than the header promises, so that a small file cannot fill the memory.
  auto content = packed ? gunzip(path, file, header + numbers) : std::move(file);
  if (content.size() != header + numbers) {
    const bool more = content.size() > header + numbers;
    fail(path, fmt::format("expected {} bytes for {} after the header, found {}", numbers,
                           fmt::join(sizes, " x "), more ? "more" : std::to_string(content.size() - header)));
  }
  return torch::from_blob(content.data() + header, sizes, torch::kUInt8).clone();
}

}  // namespace stillpoint::app
