#include "dataset.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <string>

#include "idx.h"
#include "user_error.h"

namespace stillpoint::app {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kImageSide = 28;
constexpr std::int64_t kClasses = 10;

fs::path find(const fs::path& directory, const std::string& name) {
  for (const char* ending : {"", ".gz"}) {
    auto path = directory / (name + ending);
    std::error_code error;  // of one that cannot be looked at, reading says more
    if (fs::exists(path, error) || error) {
      return path;
    }
  }
  throw UserError(
      fmt::format("no {0} or {0}.gz in {1}: name a directory with the four files of MNIST by --data, or "
                  "install the Debian "
                  "package dataset-fashion-mnist",
                  name, directory.string()));
}

Examples load(const fs::path& directory, const std::string& part, c10::Device device) {
  const auto images_path = find(directory, part + "-images-idx3-ubyte");
  const auto labels_path = find(directory, part + "-labels-idx1-ubyte");
  const auto images = read_idx(images_path, 3);
  const auto labels = read_idx(labels_path, 1);
  if (images.size(1) != kImageSide || images.size(2) != kImageSide) {
    throw UserError(fmt::format("{}: expected images of {} x {} pixels, found {} x {}; name another --data",
                                images_path.string(), kImageSide, kImageSide, images.size(1),
                                images.size(2)));
  }
  if (images.size(0) != labels.size(0)) {
    throw UserError(fmt::format("{} holds {} images but {} holds {} labels: take both from one dataset",
                                images_path.string(), images.size(0), labels_path.string(), labels.size(0)));
  }
  if (const auto largest = labels.max().item<std::int64_t>(); largest >= kClasses) {
    throw UserError(fmt::format("{}: expected labels from 0 to {}, found {}; name another --data",
                                labels_path.string(), kClasses - 1, largest));
  }
  // Divided on the CPU, so that the pixels are the same on any device.
  return {images.flatten(1).to(torch::kFloat).div_(255).to(device), labels.to(device).to(torch::kLong)};
}

}  // namespace

Dataset load_images(const fs::path& directory, c10::Device device) {
  return {load(directory, "train", device), load(directory, "t10k", device)};
}

}  // namespace stillpoint::app
