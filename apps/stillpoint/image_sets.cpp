#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include <tuple>

#include "dataset.h"
#include "top_k_network.h"

namespace stillpoint::app {
namespace {

/// The images in an order of chance, set after set, without the sets whose choice would not be clear.
Examples in_sets(const Examples& images) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{3});
  const auto count = images.size() / kSetSize;
  const auto order = torch::randperm(count * kSetSize, generator, torch::kLong).to(images.targets.device());
  const auto digits = images.targets.index_select(0, order).view({count, kSetSize});
  const auto falling = std::get<0>(digits.sort(1, true));
  const auto clear = falling.select(1, kChosen - 1).gt(falling.select(1, kChosen)).nonzero().flatten();
  const auto which = order.view({count, kSetSize}).index_select(0, clear);
  return {images.inputs.index_select(0, which.flatten()).view({-1, kSetSize, images.inputs.size(1)}),
          digits.index_select(0, clear)};
}

}  // namespace

Dataset load_image_sets(const std::filesystem::path& directory, c10::Device device) {
  const auto images = load_images(directory, device);
  return {in_sets(images.train), in_sets(images.test)};
}

}  // namespace stillpoint::app
