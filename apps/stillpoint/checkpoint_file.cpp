#include "checkpoint_file.h"

#include <fmt/format.h>
#include <torch/types.h>
#include <zlib.h>

#include <sstream>
#include <string_view>

namespace stillpoint::app {
namespace {

// The first line names the format and the checksum of what follows, a LibTorch archive, which has none of its
// own.
constexpr const char* kHeader = "stillpoint checkpoint 4, CRC-32 {:08x}\n";

std::string header(std::string_view archive) {
  const auto* bytes = reinterpret_cast<const Bytef*>(archive.data());
  return fmt::format(fmt::runtime(kHeader), crc32(0, bytes, static_cast<uInt>(archive.size())));
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, torch::serialize::OutputArchive& archive) {
  std::ostringstream bytes;
  archive.save_to(bytes);
  write_file(path, header(bytes.view()) + bytes.str());
}

torch::serialize::InputArchive open_checkpoint(const std::string& file, c10::Device device) {
  const auto line = file.substr(0, file.find('\n') + 1);
  std::istringstream stream(file.substr(line.size()));
  TORCH_CHECK(line == header(stream.view()), "another format, or damaged");
  torch::serialize::InputArchive archive;
  archive.load_from(stream, device);
  return archive;
}

void refuse_checkpoint(const std::filesystem::path& path) {
  throw UserError(fmt::format(
      "{} is not a checkpoint that can be read, or is damaged: name one that --save wrote", path.string()));
}

c10::IValue read_value(torch::serialize::InputArchive& archive, const std::string& key) {
  c10::IValue value;
  archive.read(key, value);
  return value;
}

std::string model_of_checkpoint(const std::filesystem::path& path) {
  return read_checkpoint(path, torch::kCPU, [](torch::serialize::InputArchive& archive) {
    return read_value(archive, "model").toStringRef();
  });
}

}  // namespace stillpoint::app
