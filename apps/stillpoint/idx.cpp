#include "idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>
#include <zlib.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "files.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 31;

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw UserError(fmt::format("{}: {}; download it again or name another --data", path.string(), what));
}

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

/// The content of a gzip file. zlib's own file functions would silently ignore what follows the compressed
/// data.
std::string gunzip(const std::filesystem::path& path, std::string_view packed) {
  z_stream stream = {};
  if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) {
    throw std::bad_alloc();
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string content;
  std::array<char, 1 << 16> chunk;
  int state = Z_OK;
  while (state == Z_OK && content.size() <= kMaxBytes) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = chunk.size();
    state = inflate(&stream, Z_NO_FLUSH);
    content.append(chunk.data(), chunk.size() - stream.avail_out);
  }
  const auto left = stream.avail_in;
  inflateEnd(&stream);
  if (state == Z_BUF_ERROR) {
    fail(path, "the gzip file is cut short");
  }
  if (state != Z_STREAM_END) {
    fail(path, "the gzip file is damaged");
  }
  if (left != 0) {
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

/// The sizes from the header, of which the content must hold exactly the product.
std::vector<std::int64_t> read_sizes(const std::filesystem::path& path, std::string_view content,
                                     std::int64_t dimensions) {
  const auto header = 4 * static_cast<std::size_t>(dimensions + 1);
  if (content.size() < header) {
    fail(path, fmt::format("{} bytes are too few for an IDX header of {}", content.size(), header));
  }
  const auto magic = 0x0800 + static_cast<std::uint32_t>(dimensions);
  if (const auto found = big_endian(content); found != magic) {
    fail(path, fmt::format("expected an IDX file with magic number {}, found {}", magic, found));
  }
  std::vector<std::int64_t> sizes;
  for (std::size_t at = 4; at < header; at += 4) {
    sizes.push_back(big_endian(content.substr(at)));
  }
  std::size_t numbers = 1;
  for (const auto size : sizes) {
    numbers *= static_cast<std::size_t>(size);
    if (numbers == 0 || numbers > kMaxBytes) {
      fail(path, fmt::format("{} in its header is empty or too large", fmt::join(sizes, " x ")));
    }
  }
  if (content.size() != header + numbers) {
    fail(path, fmt::format("expected {} bytes for {} after the header, found {}", numbers,
                           fmt::join(sizes, " x "), content.size() - header));
  }
  return sizes;
}

}  // namespace

at::Tensor read_idx(const std::filesystem::path& path, std::int64_t dimensions) {
  auto content = read_file(path);
  if (is_gzip(content)) {
    content = gunzip(path, content);
  }
  const auto sizes = read_sizes(path, content, dimensions);
  auto* numbers = content.data() + 4 * (dimensions + 1);
  return torch::from_blob(numbers, sizes, torch::kUInt8).clone();
}

}  // namespace stillpoint::app
