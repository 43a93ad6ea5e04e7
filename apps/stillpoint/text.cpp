#include <fmt/format.h>
#include <torch/types.h>

#include "dataset.h"
#include "files.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

/// Piece i takes bytes i · length to (i + 1) · length; its targets begin one byte later.
Examples cut(const at::Tensor& bytes, std::int64_t length) {
  const auto count = (bytes.size(0) - 1) / length;
  return {bytes.slice(0, 0, count * length).view({count, length}),
          bytes.slice(0, 1, count * length + 1).view({count, length})};
}

}  // namespace

Dataset load_text(const std::filesystem::path& file, std::int64_t length, c10::Device device) {
  if (file.empty()) {
    throw UserError("--model transformer reads a text: name a file of plain text by --data");
  }
  const auto text = read_file(file);
  const auto size = static_cast<std::int64_t>(text.size());
  const auto least = 20 * length;
  if (size < least) {
    throw UserError(
        fmt::format("--data {}: expected a text of at least {} bytes, found {}", file.string(), least, size));
  }
  const auto bytes =
      torch::from_blob(const_cast<char*>(text.data()), {size}, torch::kByte).to(device).to(torch::kLong);
  const auto split = size - size / 10;
  return {cut(bytes.slice(0, 0, split), length), cut(bytes.slice(0, split), length)};
}

}  // namespace stillpoint::app
